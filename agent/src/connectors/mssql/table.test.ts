import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { TYPES } from "tedious";
import { createRecorder } from "./test-output.ts";
import { readTable, startTestServer, type TestServer } from "./test-server.ts";

const ROWS = 50_000;
let server: TestServer;

before(async () => {
  server = await startTestServer();
  await server.admin(`
    CREATE TABLE dbo.Big (Id bigint NOT NULL PRIMARY KEY, Name nvarchar(40) NULL, Amount int NOT NULL);
    CREATE TABLE dbo.Pair (Region nvarchar(10) NOT NULL, Day date NOT NULL, N int NOT NULL, PRIMARY KEY (Region, Day));
    CREATE TABLE dbo.Heap (A int NULL);
    CREATE TABLE dbo.Money (Amount decimal(38,10) NOT NULL PRIMARY KEY, Label varchar(10) NOT NULL);
    CREATE TABLE dbo.Stamped (Id int NOT NULL PRIMARY KEY, Value int NOT NULL, Version rowversion NOT NULL);
    CREATE TABLE dbo.Future (Id int NOT NULL PRIMARY KEY, Until datetime2(7) NOT NULL);
    INSERT INTO dbo.Heap VALUES (1), (NULL), (3);
    INSERT INTO dbo.Pair VALUES (N'b', '2026-01-02', 4), (N'a', '2026-01-01', 1), (N'b', '2026-01-01', 3), (N'a', '2026-01-02', 2);
    INSERT INTO dbo.Money VALUES ('-9999999999999999999999999999.9999999999', 'lowest');
    INSERT INTO dbo.Money VALUES (0.0000000001, 'small');
    INSERT INTO dbo.Money VALUES (9999999999999999999999999999.9999999999, 'highest');
    INSERT INTO dbo.Future VALUES (1, '2026-01-01T00:00:00.0000001'), (2, '9999-12-31T23:59:59.9999999')`);
  await server.admin("CREATE VIEW dbo.Names AS SELECT Id, Name FROM dbo.Big");
  function* rows(): Generator<readonly unknown[]> {
    for (let id = 1; id <= ROWS; id++) yield [String(id), id % 7 === 0 ? null : `name ${id}`, id % 1000];
  }
  await server.fill(
    "dbo.Big",
    [
      ["Id", TYPES.BigInt, { nullable: false }],
      ["Name", TYPES.NVarChar, { nullable: true, length: 40 }],
      ["Amount", TYPES.Int, { nullable: false }],
    ],
    rows(),
  );
});
after(() => server.close());

const isCode = (code: ErrorCode) => (error: unknown) => {
  assert.ok(error instanceof SallyportError, String(error));
  assert.equal(error.code, code);
  return true;
};
const ids = (rows: readonly (readonly unknown[])[]): number[] => rows.map(([id]) => Number(id));
const oneTo = (n: number): number[] => Array.from({ length: n }, (_, at) => at + 1);

test("a whole table in several slices, each row once and in order", async () => {
  const output = createRecorder();
  const outcome = await readTable(server, "dbo.Big", output, { pace: { sliceRows: 15_000 } });
  assert.deepEqual(outcome, { complete: true, position: '["50000"]' });
  assert.deepEqual(ids(output.rows), oneTo(ROWS));
  assert.deepEqual(output.rows.slice(5, 8), [
    ["6", "name 6", 6],
    ["7", null, 7],
    ["8", "name 8", 8],
  ]);
  assert.deepEqual(output.plan, { to: null, key: ["Id"], isolation: "readCommitted", consistency: "fuzzy" });
  assert.deepEqual(
    output.checkpoints.filter(({ rows }) => rows % 15_000 === 0).map(({ position, rows }) => [position, rows]),
    [
      ['["15000"]', 15_000],
      ['["30000"]', 30_000],
      ['["45000"]', 45_000],
    ],
  );
  assert.deepEqual(
    output.columns.map(({ name, source, nullable }) => [name, source, nullable]),
    [
      ["Id", "bigint", false],
      ["Name", "nvarchar(40)", true],
      ["Amount", "int", false],
    ],
  );
});

test("a read resumes strictly after each of its checkpoints", async () => {
  const first = createRecorder({ batchBytes: 64 * 1024 });
  const pace = { sliceRows: 20_000, checkpointBytes: 128 * 1024 };
  await readTable(server, "dbo.Big", first, { pace });
  assert.ok(first.checkpoints.length > 5, "there are checkpoints within slices");
  for (const { position, rows } of [first.checkpoints[0]!, first.checkpoints[3]!, first.checkpoints.at(-1)!]) {
    const rest = createRecorder();
    await readTable(server, "dbo.Big", rest, { pace, operation: { position, plan: first.plan! } });
    assert.deepEqual(rest.rows, first.rows.slice(rows));
  }
});

test("a stop at a checkpoint ends the session there, and the rest follows in the next", async () => {
  const first = createRecorder({ stopAt: 2, batchBytes: 64 * 1024 });
  const pace = { checkpointBytes: 256 * 1024 };
  const outcome = await readTable(server, "dbo.Big", first, { pace });
  assert.equal(outcome.complete, false);
  assert.deepEqual(outcome.position, first.checkpoints[1]?.position);
  assert.equal(first.checkpoints[1]?.rows, first.rows.length);
  const rest = createRecorder();
  const end = await readTable(server, "dbo.Big", rest, { operation: { position: outcome.position, plan: first.plan } });
  assert.equal(end.complete, true);
  assert.deepEqual(ids([...first.rows, ...rest.rows]), oneTo(ROWS));
});

test("a key of two columns, and one of decimals: positions keep every digit", async () => {
  for (const [table, expected] of [
    [
      "dbo.Pair",
      [
        ["a", "2026-01-01"],
        ["a", "2026-01-02"],
        ["b", "2026-01-01"],
        ["b", "2026-01-02"],
      ],
    ],
    [
      "dbo.Money",
      [["-9999999999999999999999999999.9999999999"], ["0.0000000001"], ["9999999999999999999999999999.9999999999"]],
    ],
  ] as const) {
    const output = createRecorder();
    await readTable(server, table, output, { pace: { sliceRows: 1 } });
    assert.deepEqual(
      output.rows.map((row) => row.slice(0, expected[0].length)),
      expected,
    );
    const { position } = output.checkpoints[1]!;
    assert.equal(position, JSON.stringify(expected[1]));
    const rest = createRecorder();
    await readTable(server, table, rest, { operation: { position } });
    assert.deepEqual(rest.rows, output.rows.slice(2));
  }
});

/** Types that a key can have, and values in their order. */
const KEYS: readonly (readonly [type: string, values: readonly string[]])[] = [
  ["bit", ["0", "1"]],
  ["tinyint", ["0", "1", "255"]],
  ["smallint", ["-32768", "0", "32767"]],
  ["bigint", ["-9223372036854775808", "9007199254740993", "9223372036854775807"]],
  ["money", ["-922337203685477.5808", "0.0001", "922337203685477.5807"]],
  ["smallmoney", ["-1.0001", "0", "214748.3647"]],
  ["numeric(5,5)", ["-0.99999", "0.00001", "0.99999"]],
  ["real", ["-1.5", "0.1", "3e38"]],
  ["float", ["-1e300", "0.1", "0.30000000000000004"]],
  ["date", ["'0001-01-01'", "'2026-11-20'", "'9999-12-31'"]],
  ["time(7)", ["'00:00:00'", "'00:00:00.0000001'", "'23:59:59.9999999'"]],
  ["datetime", ["'1753-01-01T00:00:00'", "'2026-11-20T10:00:00.003'", "'9999-12-31T23:59:59.997'"]],
  ["smalldatetime", ["'1900-01-01T00:00:00'", "'2026-11-20T10:01:00'", "'2079-06-06T23:59:00'"]],
  ["datetime2(7)", ["'1700-01-01'", "'2026-11-20T10:00:00.0000001'", "'2026-11-20T10:00:00.0000002'"]],
  ["datetime2(3)", ["'0001-01-01'", "'2026-11-20T10:00:00.001'", "'9999-12-31T23:59:59.999'"]],
  [
    "datetimeoffset(7)",
    ["'2026-11-20T10:00:00.0000001+05:30'", "'2026-11-20T10:00:00+00:00'", "'2026-11-20T10:00:00-08:00'"],
  ],
  ["uniqueidentifier", ["'ffffffff-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000002'"]],
  ["varchar(10)", ["''", "'a'", "'b'", "'é'"]],
  ["char(3)", ["'a'", "'b'", "'c'"]],
  ["nvarchar(10)", ["N''", "N'a'", "N'æ'", "N'漢'"]],
  ["nchar(3)", ["N'a'", "N'b'", "N'c'"]],
  ["varbinary(8)", ["0x", "0x00", "0x01", "0xFF"]],
  ["binary(2)", ["0x0000", "0x0001", "0xFFFF"]],
];

test("a read resumes after any key of any type", async (t) => {
  for (const [at, [type, values]] of KEYS.entries()) {
    await t.test(type, async () => {
      const table = `dbo.Key${at}`;
      await server.admin(`CREATE TABLE ${table} (K ${type} NOT NULL PRIMARY KEY, N int NOT NULL)`);
      for (const [n, value] of values.entries()) await server.admin(`INSERT INTO ${table} VALUES (${value}, ${n})`);
      const whole = createRecorder();
      await readTable(server, table, whole, { pace: { sliceRows: 1 } });
      assert.deepEqual(
        whole.rows.map(([, n]) => n),
        values.map((_, n) => n),
      );
      for (const { position, rows } of whole.checkpoints) {
        const rest = createRecorder();
        await readTable(server, table, rest, { operation: { position, plan: whole.plan } });
        assert.deepEqual(rest.rows, whole.rows.slice(rows));
      }
    });
  }
});

test("a table without a key is read by one statement, without positions", async () => {
  const output = createRecorder();
  assert.deepEqual(await readTable(server, "dbo.Heap", output, { pace: { sliceRows: 1 } }), { complete: true });
  assert.deepEqual(output.rows, [[1], [null], [3]]);
  assert.deepEqual(output.checkpoints, []);
  assert.deepEqual(output.plan, { to: null, key: [], isolation: "readCommitted", consistency: "statement" });
});

test("columns come as asked; the key is read for positions, and not emitted", async () => {
  const output = createRecorder();
  const operation = { columns: ["amount", "Name"] };
  await readTable(server, "dbo.Big", output, { pace: { sliceRows: 20_000 }, operation });
  assert.deepEqual(output.rows[1], [2, "name 2"]);
  assert.deepEqual(
    output.columns.map(({ name }) => name),
    ["Amount", "Name"],
  );
  assert.equal(output.checkpoints.at(-1)?.position, '["40000"]');
  // Where the policy does not allow the key, there is no reading in order.
  const grant = { kind: "table", rule: "r", columns: ["Amount", "Name"] } as const;
  await assert.rejects(readTable(server, "dbo.Big", createRecorder(), { operation, grant }), isCode("policy.denied"));
  const more = { columns: ["Id", "Amount"] };
  await assert.rejects(
    readTable(server, "dbo.Big", createRecorder(), { operation: more, grant: { ...grant, columns: ["Id"] } }),
    isCode("policy.denied"),
  );
});

test("rowversion: everything up to a bound, then what changed since", async () => {
  await server.admin("INSERT INTO dbo.Stamped (Id, Value) VALUES (1, 10), (2, 20), (3, 30), (4, 40), (5, 50)");
  const operation = { watermark: "rowversion" } as const;
  const first = createRecorder();
  const outcome = await readTable(server, "dbo.Stamped", first, { operation, pace: { sliceRows: 2 } });
  assert.deepEqual(ids(first.rows), [1, 2, 3, 4, 5]);
  assert.equal(outcome.complete, true);
  const from = first.plan?.to ?? "";
  assert.match(from, /^[0-9a-f]{16}$/);

  const nothing = createRecorder();
  assert.deepEqual(await readTable(server, "dbo.Stamped", nothing, { operation: { ...operation, from } }), {
    complete: true,
  });
  assert.deepEqual(nothing.rows, []);

  await server.admin("UPDATE dbo.Stamped SET Value = 41 WHERE Id = 4; UPDATE dbo.Stamped SET Value = 11 WHERE Id = 1");
  const changed = createRecorder({ stopAt: 1, batchBytes: 1 });
  const stopped = await readTable(server, "dbo.Stamped", changed, {
    operation: { ...operation, from },
    pace: { checkpointBytes: 1 },
  });
  assert.deepEqual(
    changed.rows.map((row) => row.slice(0, 2)),
    [[4, 41]],
  );
  assert.equal(stopped.complete, false);
  // What changes meanwhile lies above the run's bound.
  await server.admin("UPDATE dbo.Stamped SET Value = 22 WHERE Id = 2");
  const rest = createRecorder();
  const resumed = { ...operation, from, plan: changed.plan, position: stopped.position };
  await readTable(server, "dbo.Stamped", rest, { operation: resumed });
  assert.deepEqual(
    rest.rows.map((row) => row.slice(0, 2)),
    [[1, 11]],
  );
  const next = createRecorder();
  await readTable(server, "dbo.Stamped", next, { operation: { ...operation, from: changed.plan?.to ?? "" } });
  assert.deepEqual(
    next.rows.map((row) => row.slice(0, 2)),
    [[2, 22]],
  );
});

test("rowversion: an open transaction holds the bound back, and its rows come later", async () => {
  await server.admin("CREATE TABLE dbo.Held (Id int NOT NULL PRIMARY KEY, Version rowversion NOT NULL)");
  await server.admin("INSERT INTO dbo.Held (Id) VALUES (1)");
  const held = server.server.reserveRowversion();
  await server.admin("INSERT INTO dbo.Held (Id) VALUES (3)");
  const read = async (from?: string) => {
    const output = createRecorder();
    const operation = { watermark: "rowversion", ...(from === undefined ? {} : { from }) } as const;
    await readTable(server, "dbo.Held", output, { operation });
    return { ids: ids(output.rows), to: output.plan?.to ?? "" };
  };
  const first = await read();
  assert.deepEqual(first.ids, [1]);
  assert.deepEqual((await read(first.to)).ids, []);
  await held.commit("INSERT INTO dbo.Held (Id) VALUES (2)");
  assert.deepEqual((await read(first.to)).ids, [2, 3]);
});

test("rowversion: what cannot be read that way", async () => {
  const operation = { watermark: "rowversion" } as const;
  const read = (table: string, more: object) =>
    readTable(server, table, createRecorder(), { operation: { ...operation, ...more } });
  await assert.rejects(read("dbo.Big", {}), isCode("request.invalid"));
  await assert.rejects(read("dbo.Stamped", { from: "ffffffffffffffff" }), isCode("sql.watermark_lost"));
  await assert.rejects(read("dbo.Stamped", { from: "nonsense" }), isCode("request.invalid"));
});

test("a plan that no longer fits ends the run", async () => {
  const plan = { to: null, key: ["Other"], isolation: "readCommitted", consistency: "fuzzy" } as const;
  const read = (operation: object) => readTable(server, "dbo.Big", createRecorder(), { operation });
  await assert.rejects(read({ plan }), isCode("request.plan_changed"));
  await assert.rejects(read({ position: '["1","2"]' }), isCode("request.plan_changed"));
  await assert.rejects(read({ position: "00000000000007d1" }), isCode("request.plan_changed"));
  await assert.rejects(read({ position: "{}" }), isCode("request.invalid"));
  await assert.rejects(read({ position: '["x"]' }), isCode("request.invalid"));
});

test("an external table is read where the policy names it, and by no pattern", async () => {
  await server.admin(
    "CREATE EXTERNAL TABLE dbo.Far (A int NULL) WITH (LOCATION = 'ERP.dbo.Far', DATA_SOURCE = Elsewhere)",
  );
  await server.admin("INSERT INTO dbo.Far VALUES (7)");
  const output = createRecorder();
  const grant = { kind: "table", rule: "r", columns: "*" } as const;
  const read = (named: boolean) => readTable(server, "dbo.Far", output, { grant: { ...grant, named } });
  await assert.rejects(read(false), isCode("policy.denied"));
  assert.deepEqual(output.rows, []);
  await read(true);
  assert.deepEqual(output.rows, [[7]]);
});

test("what is not there, or not a base table", async () => {
  const read = (table: string, operation = {}) => readTable(server, table, createRecorder(), { operation });
  await assert.rejects(read("dbo.Missing"), isCode("sql.not_found"));
  await assert.rejects(read("other.Big"), isCode("sql.not_found"));
  await assert.rejects(read("dbo.Big", { columns: ["Id", "Missing"] }), isCode("sql.not_found"));
  await assert.rejects(read("dbo.Names"), isCode("policy.denied"));
});

test("a value that cannot be carried exactly ends the read, naming its column", async () => {
  await assert.rejects(readTable(server, "dbo.Future", createRecorder()), (error) => {
    isCode("value.not_exact")(error);
    assert.ok(error instanceof SallyportError);
    assert.equal(error.detail.column, "Until");
    assert.doesNotMatch(error.message, /9999/);
    return true;
  });
});
