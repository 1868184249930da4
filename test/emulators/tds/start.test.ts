import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection } from "node:net";
import { after, before, test } from "node:test";
import sql from "mssql";
import { makeAuthority } from "../tls/certificates.ts";
import { ADMIN, ask, connect, errorNumber, startServer } from "./clients.ts";

let tds: Awaited<ReturnType<typeof startServer>>;
before(async () => {
  tds = await startServer();
});
after(() => tds.close());

/** Connects with what is wrong and gives the rejection and the server errors that the client was told. */
async function refused(as: Parameters<typeof connect>[1]): Promise<unknown> {
  return connect(tds, as).then(
    () => assert.fail("it came in"),
    (error: unknown) => error,
  );
}

const lastLogin = () => tds.log.findLast((entry) => entry.kind === "login");

test("a login comes in over TLS, with its names in the log and its password nowhere", async () => {
  const connection = await connect(tds, { options: { appName: "sallyport/erp", workstationId: "here" } });
  assert.deepEqual(await ask(connection, "SELECT APP_NAME(), HOST_NAME(), @@SPID"), [
    ["sallyport/erp", "here", lastLogin()?.session],
  ]);
  connection.close();
  const entry = lastLogin();
  assert.equal(entry?.kind === "login" && entry.encrypted && entry.result, "ok");
  const log = JSON.stringify(tds.log);
  assert.ok(!log.includes(ADMIN.password) && !log.includes("Reader-1"));
});

test("a wrong password, an unknown login and an unknown database are refused, the truth only in the log", async () => {
  for (const [as, error, state] of [
    [{ login: { name: ADMIN.name, password: "no" } }, 18456, 8],
    [{ login: { name: "nobody", password: "no" } }, 18456, 5],
    [{ options: { database: "Nowhere" } }, 4060, 38],
  ] as const) {
    const problem = await refused(as);
    assert.equal((problem as { code?: string }).code, "ELOGIN");
    const entry = lastLogin();
    assert.deepEqual(entry?.kind === "login" ? entry.result : null, { error, state });
  }
});

test("a client that does not trust the certificate does not come in, and one that wants no encryption does", async () => {
  const other = await makeAuthority();
  await assert.rejects(connect({ port: tds.port, ca: other.caPem }));
  const plain = await connect(tds, { options: { encrypt: false } });
  assert.deepEqual(await ask(plain, "SELECT 1"), [[1]]);
  plain.close();
  assert.equal(lastLogin()?.kind === "login" && (lastLogin() as { encrypted: boolean }).encrypted, false);
});

test("TDS 8: strict encryption, TLS before anything else", async () => {
  const strict = await connect(tds, { options: { encrypt: "strict" as unknown as boolean } });
  assert.deepEqual(await ask(strict, "SELECT 1"), [[1]]);
  strict.close();
});

for (const packetSize of [512, 4096, 32_767]) {
  test(`packets of ${packetSize} bytes carry values larger than themselves`, async () => {
    const connection = await connect(tds, { options: { packetSize } });
    const [row] = await ask(
      connection,
      "SELECT REPLICATE(CAST(N'ä' AS nvarchar(max)), 70000), LEN(REPLICATE('x', 9000))",
    );
    assert.deepEqual(row, ["ä".repeat(70_000), 8000]);
    connection.close();
  });
}

test("mssql: query, batch, prepared statement, transaction, stream", async () => {
  const pool = await new sql.ConnectionPool({
    server: "localhost",
    port: tds.port,
    user: ADMIN.name,
    password: ADMIN.password,
    database: "ERP",
    options: { encrypt: true, trustServerCertificate: true },
  }).connect();
  await pool.request().batch("CREATE TABLE dbo.M (Id int NOT NULL PRIMARY KEY, V rowversion, Name nvarchar(20) NULL)");
  const prepared = new sql.PreparedStatement(pool);
  prepared.input("id", sql.Int).input("name", sql.NVarChar(20));
  await prepared.prepare("INSERT INTO dbo.M (Id, Name) VALUES (@id, @name)");
  for (const id of [1, 2, 3]) assert.deepEqual((await prepared.execute({ id, name: `n${id}` })).rowsAffected, [1]);
  await prepared.unprepare();
  const transaction = new sql.Transaction(pool);
  await transaction.begin(sql.ISOLATION_LEVEL.SNAPSHOT);
  await transaction.request().query("DELETE FROM dbo.M");
  await transaction.rollback();
  const request = pool.request();
  request.output("n", sql.Int);
  const result = await request.query("SELECT @n = COUNT(*) FROM dbo.M; SELECT Id, Name FROM dbo.M ORDER BY Id");
  assert.equal(result.output.n, 3);
  assert.deepEqual(
    result.recordset.map((row: { Name: string }) => row.Name),
    ["n1", "n2", "n3"],
  );
  await assert.rejects(
    pool.request().query("SELECT * FROM dbo.Nope"),
    (error: { number: number; class: number; state: number }) => {
      assert.deepEqual([error.number, error.class, error.state], [208, 16, 1]);
      return true;
    },
  );
  await pool.close();
});

test("errors that end only their statement leave the batch and its transaction alive", async () => {
  const connection = await connect(tds);
  await ask(connection, "CREATE TABLE dbo.E (Id int NOT NULL PRIMARY KEY)");
  assert.equal(
    await errorNumber(
      ask(connection, "INSERT INTO dbo.E VALUES (1); INSERT INTO dbo.E VALUES (1); INSERT INTO dbo.E VALUES (2)"),
    ),
    2627,
  );
  assert.deepEqual(await ask(connection, "SELECT COUNT(*) FROM dbo.E"), [[2]]);
  assert.equal(
    await errorNumber(
      ask(connection, "SET XACT_ABORT ON; BEGIN TRAN; INSERT INTO dbo.E VALUES (3); INSERT INTO dbo.E VALUES (1)"),
    ),
    2627,
  );
  assert.deepEqual(await ask(connection, "SELECT COUNT(*), @@TRANCOUNT FROM dbo.E"), [[2, 0]]);
  connection.close();
});

test("what is no TDS ends its connection and not the server", async () => {
  const socket = createConnection(tds.port, "127.0.0.1");
  await once(socket, "connect");
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(4000));
  socket.on("error", () => undefined);
  socket.resume();
  socket.end();
  await new Promise((resolve) => socket.once("close", resolve));
  const connection = await connect(tds);
  assert.deepEqual(await ask(connection, "SELECT 1"), [[1]]);
  connection.close();
});
