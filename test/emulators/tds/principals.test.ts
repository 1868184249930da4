import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Connection } from "tedious";
import { ADMIN, ask, connect, errorNumber, READER, startServer } from "./clients.ts";

const OWNER = { name: "owner", password: "Owner-1", rights: "owner" } as const;
const MADE = { name: "made", password: "Made-'1'" };

let tds: Awaited<ReturnType<typeof startServer>>;
let admin: Connection;
before(async () => {
  tds = await startServer({ logins: [ADMIN, READER, OWNER] });
  admin = await connect(tds);
  await tds.sql(
    "CREATE SCHEMA demo; CREATE TABLE demo.T (Id int); INSERT INTO demo.T VALUES (7); CREATE TABLE dbo.Other (Id int)",
  );
});
after(async () => {
  admin.close();
  await tds.close();
});

test("a login that was made gets in as a user, reads what was granted, and goes again", async () => {
  await ask(admin, "CREATE LOGIN [made] WITH PASSWORD = N'Made-''1'''");
  assert.equal(await errorNumber(ask(admin, "CREATE LOGIN made WITH PASSWORD = 'x'")), 15025);
  await assert.rejects(connect(tds, { login: MADE }), { code: "ELOGIN" });
  await ask(admin, "CREATE USER [made] FOR LOGIN [made]");
  assert.equal(await errorNumber(ask(admin, "CREATE USER made FOR LOGIN made")), 15023);
  assert.deepEqual([tds.logins().includes("made"), tds.users()], [true, ["made"]]);
  const made = await connect(tds, { login: MADE });
  assert.equal(await errorNumber(ask(made, "SELECT Id FROM demo.T")), 229);
  await ask(admin, "GRANT SELECT ON SCHEMA::[demo] TO [made]");
  assert.deepEqual(await ask(made, "SELECT Id FROM demo.T"), [[7]]);
  assert.equal(await errorNumber(ask(made, "SELECT Id FROM dbo.Other")), 229);
  assert.equal(await errorNumber(ask(made, "DELETE FROM demo.T")), 229);
  assert.equal(await errorNumber(ask(admin, "DROP LOGIN made")), 15434);
  made.close();
  await ask(admin, "DROP USER made");
  // The server has yet to see that the connection was closed.
  let refused: number | undefined;
  do refused = await errorNumber(ask(admin, "DROP LOGIN made"));
  while (refused === 15434);
  assert.equal(refused, undefined);
  assert.deepEqual([tds.logins().includes("made"), tds.users()], [false, []]);
  assert.equal(await errorNumber(ask(admin, "DROP LOGIN made")), 15151);
  assert.equal(await errorNumber(ask(admin, "DROP USER made")), 15151);
  assert.equal(await errorNumber(ask(admin, "CREATE USER nobody FOR LOGIN nobody")), 15007);
});

test("only the server's administrator makes logins, only the database's makes schemas", async () => {
  const owner = await connect(tds, { login: OWNER });
  assert.equal(await errorNumber(ask(owner, "CREATE LOGIN x WITH PASSWORD = 'x'")), 15247);
  await ask(owner, "CREATE SCHEMA mine");
  await ask(owner, "DROP SCHEMA mine");
  owner.close();
  const reader = await connect(tds, { login: READER });
  assert.equal(await errorNumber(ask(reader, "CREATE SCHEMA mine")), 262);
  assert.equal(await errorNumber(ask(reader, "DROP USER reader")), 15247);
  assert.equal(await errorNumber(ask(reader, "GRANT SELECT ON SCHEMA::demo TO reader")), 15151);
  reader.close();
});

test("a schema goes when it is empty", async () => {
  assert.equal(await errorNumber(ask(admin, "DROP SCHEMA demo")), 3729);
  assert.equal(await errorNumber(ask(admin, "DROP SCHEMA nowhere")), 15151);
  await ask(admin, "DROP SCHEMA IF EXISTS nowhere");
  await ask(admin, "CREATE SCHEMA empty");
  await ask(admin, "DROP SCHEMA empty");
  assert.deepEqual(await ask(admin, "SELECT name FROM sys.schemas WHERE name = 'empty'"), []);
});

test("permissions by login: each act on each object is granted by itself, and revoked again", async () => {
  await tds.sql("CREATE TABLE dbo.Held (Id int NOT NULL PRIMARY KEY, N int NULL); INSERT INTO dbo.Held VALUES (1, 1)");
  await ask(admin, "CREATE LOGIN granted WITH PASSWORD = 'Granted-1'; CREATE USER granted FOR LOGIN granted");
  const granted = await connect(tds, { login: { name: "granted", password: "Granted-1" } });
  const acts = [
    ["SELECT", "SELECT Id FROM dbo.Held"],
    ["INSERT", "INSERT INTO dbo.Held VALUES (2, 2)"],
    ["UPDATE", "UPDATE dbo.Held SET N = 3"],
    ["DELETE", "DELETE FROM dbo.Held WHERE Id = 2"],
  ] as const;
  for (const [permission, text] of acts) {
    assert.equal(await errorNumber(ask(granted, text)), 229, permission);
    await ask(admin, `GRANT ${permission} ON OBJECT::dbo.Held TO granted`);
    await ask(granted, text);
  }
  assert.equal(await errorNumber(ask(granted, "SELECT Id FROM dbo.Other")), 229);
  await ask(admin, "GRANT SELECT TO granted");
  await ask(granted, "SELECT Id FROM dbo.Other");
  await ask(admin, "REVOKE SELECT ON dbo.Held FROM granted; REVOKE SELECT FROM granted");
  assert.equal(await errorNumber(ask(granted, "SELECT Id FROM dbo.Held")), 229);
  assert.equal(await errorNumber(ask(admin, "GRANT SELECT ON dbo.Nothing TO granted")), 15151);
  assert.equal(await errorNumber(ask(granted, "GRANT SELECT ON dbo.Held TO granted")), 15151);
  granted.close();
});

test("roles: what a login is a member of", async () => {
  const roles =
    "SELECT IS_SRVROLEMEMBER('sysadmin'), IS_ROLEMEMBER('db_owner'), IS_MEMBER('db_datareader'), IS_MEMBER('none')";
  assert.deepEqual(await ask(admin, roles), [[1, 1, 0, null]]);
  const owner = await connect(tds, { login: OWNER });
  assert.deepEqual(await ask(owner, roles), [[0, 1, 0, null]]);
  owner.close();
  await ask(admin, "CREATE LOGIN member WITH PASSWORD = 'Member-1'; CREATE USER member FOR LOGIN member");
  const member = await connect(tds, { login: { name: "member", password: "Member-1" } });
  assert.deepEqual(await ask(member, roles), [[0, 0, 0, null]]);
  await ask(admin, "ALTER ROLE db_datareader ADD MEMBER member; ALTER SERVER ROLE sysadmin ADD MEMBER member");
  assert.deepEqual(await ask(member, roles), [[1, 0, 1, null]]);
  await ask(admin, "ALTER SERVER ROLE sysadmin DROP MEMBER member");
  assert.deepEqual(await ask(member, "SELECT COUNT(*) FROM dbo.Other"), [[0]]);
  assert.equal(await errorNumber(ask(member, "ALTER ROLE db_owner ADD MEMBER member")), 15151);
  member.close();
});
