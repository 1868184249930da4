/** Change Data Capture of the emulator. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Connection } from "tedious";
import { ask, connect, errorNumber, startServer } from "./clients.ts";

let tds: Awaited<ReturnType<typeof startServer>>;
let one: Connection;
before(async () => {
  tds = await startServer();
  one = await connect(tds);
  await ask(
    one,
    "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, N int NULL, V rowversion); INSERT INTO dbo.T (Id, N) VALUES (1, 1)",
  );
});
after(async () => {
  one.close();
  await tds.close();
});

const changes =
  "SELECT __$start_lsn, __$operation, Id, N FROM cdc.dbo_T_CT ORDER BY __$start_lsn, __$command_id, __$seqval, __$operation";

test("a table is captured from when that was switched on", async () => {
  const enable = "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'T', @role_name = NULL";
  assert.equal(await errorNumber(ask(one, enable)), 22901);
  assert.deepEqual(await ask(one, "SELECT sys.fn_cdc_get_max_lsn()"), [[null]]);
  await ask(one, "EXEC sys.sp_cdc_enable_db");
  await ask(one, enable);
  const [[least, most]] = (await ask(one, "SELECT sys.fn_cdc_get_min_lsn('dbo_T'), sys.fn_cdc_get_max_lsn()")) as [
    [Buffer, Buffer],
  ];
  assert.deepEqual([least.length, least], [10, most]);
  assert.deepEqual(await ask(one, changes), []);
  assert.deepEqual(await ask(one, "SELECT sys.fn_cdc_get_min_lsn('none')"), [[Buffer.alloc(10)]]);
  assert.deepEqual(await ask(one, "SELECT capture_instance, OBJECT_NAME(source_object_id) FROM cdc.change_tables"), [
    ["dbo_T", "T"],
  ]);
});

test("every committed change, with the LSN of its commit; a transaction is one LSN", async () => {
  await ask(
    one,
    "BEGIN TRAN; INSERT INTO dbo.T (Id, N) VALUES (2, 2); UPDATE dbo.T SET N = 10 WHERE Id = 1; DELETE FROM dbo.T WHERE Id = 2; COMMIT",
  );
  await ask(one, "BEGIN TRAN; DELETE FROM dbo.T; ROLLBACK");
  await ask(one, "UPDATE dbo.T SET Id = 3");
  const rows = (await ask(one, changes)) as [Buffer, number, number, number][];
  assert.deepEqual(
    rows.map(([, ...row]) => row),
    [
      [2, 2, 2],
      [3, 1, 1],
      [4, 1, 10],
      [1, 2, 2],
      [1, 1, 10],
      [2, 3, 10],
    ],
  );
  const lsns = rows.map(([lsn]) => lsn.toString("hex"));
  assert.equal(new Set(lsns.slice(0, 4)).size, 1);
  assert.equal(new Set(lsns).size, 2);
  const [[most, after, before]] = (await ask(
    one,
    "SELECT sys.fn_cdc_get_max_lsn(), sys.fn_cdc_increment_lsn(sys.fn_cdc_get_max_lsn()), sys.fn_cdc_decrement_lsn(sys.fn_cdc_get_max_lsn())",
  )) as [[Buffer, Buffer, Buffer]];
  assert.equal(most.toString("hex"), lsns.at(-1));
  assert.ok(before.compare(most) < 0 && most.compare(after) < 0);
  const [[mapped]] = (await ask(one, "SELECT COUNT(*) FROM cdc.lsn_time_mapping")) as [[number]];
  assert.equal(mapped, 3);
});

test("cleaning up moves the minimum; switching off takes the changes away", async () => {
  await ask(
    one,
    "DECLARE @low binary(10) = sys.fn_cdc_get_max_lsn(); EXEC sys.sp_cdc_cleanup_change_table @capture_instance = N'dbo_T', @low_water_mark = @low",
  );
  assert.equal((await ask(one, changes)).length, 2);
  const [[least, most]] = (await ask(one, "SELECT sys.fn_cdc_get_min_lsn('dbo_T'), sys.fn_cdc_get_max_lsn()")) as [
    [Buffer, Buffer],
  ];
  assert.deepEqual(least, most);
  await ask(
    one,
    "EXEC sys.sp_cdc_disable_table @source_schema = N'dbo', @source_name = N'T', @capture_instance = N'dbo_T'",
  );
  assert.equal(await errorNumber(ask(one, changes)), 208);
  await ask(one, "UPDATE dbo.T SET N = 11");
  const reader = await connect(tds, { login: { name: "reader", password: "Reader-1" } });
  assert.equal(await errorNumber(ask(reader, "EXEC sys.sp_cdc_enable_db")), 22904);
  assert.equal(await errorNumber(ask(reader, "SELECT capture_instance FROM cdc.change_tables")), 229);
  reader.close();
});
