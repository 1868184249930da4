/** `npm run test:mssql` itself: on its own emulator, and on a server that is not ours and cannot do everything. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startTds } from "../emulators/tds/start.ts";
import { makeAuthority } from "../emulators/tls/certificates.ts";

const MAIN = fileURLToPath(new URL("../system/mssql.ts", import.meta.url));

async function conform(environment: Record<string, string>) {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, error, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { out, error, code: code as number };
}

test("every operation, mode and type passes on the emulator over TLS", async () => {
  const { out, error, code } = await conform({});
  assert.equal(code, 0, out + error);
  const cases = [...out.matchAll(/^ {2}ok {8}(.{20})/gm)].map(([, of]) => of?.trim());
  for (const wanted of [
    "sql.table",
    "sql.query",
    "sql.schema",
    "rowversion",
    "column",
    "changeTracking",
    "cdc",
    "decimal(38,10)",
  ]) {
    assert.ok(cases.includes(wanted), wanted);
  }
  assert.match(out, /\n[0-9]+ passed, 0 failed, 0 left out\n$/);
});

test("a server that is named: what it cannot do is said and left out, and nothing stays there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-conformance-"));
  const authority = await makeAuthority();
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, authority.caPem);
  const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const logins = [{ name: "owner", password: "Owner-mark-1", rights: "owner" }] as const;
  const server = await startTds({ tls, logins, databases: ["Theirs"] });
  try {
    await server.sql("ALTER DATABASE Theirs SET ALLOW_SNAPSHOT_ISOLATION OFF; CREATE TABLE dbo.Theirs (Id int)");
    const address = `mssql://owner:Owner-mark-1@localhost:${server.port}/Theirs`;
    const { out, error, code } = await conform({ SALLYPORT_TEST_MSSQL: address, NODE_EXTRA_CA_CERTS: caFile });
    assert.equal(code, 0, out + error);
    for (const ability of ["reader", "snapshot", "changeTracking", "cdc"]) {
      assert.match(out, new RegExp(`^without ${ability}: `, "m"));
    }
    assert.match(out, /^ {2}left out {2}changeTracking/m);
    assert.match(out, /\n[0-9]+ passed, 0 failed, [1-9][0-9]* left out\n$/);
    assert.doesNotMatch(out + error, /Owner-mark/);
    const { rows } = await server.sql("SELECT name FROM sys.objects WHERE is_ms_shipped = 0 AND type IN ('U', 'V')");
    assert.deepEqual(rows, [{ name: "Theirs" }]);
    const schemas = await server.sql("SELECT name FROM sys.schemas WHERE name LIKE 'sallyport%'");
    assert.deepEqual([schemas.rows, server.logins(), server.users()], [[], ["owner"], []]);
    const wrong = await conform({ SALLYPORT_TEST_MSSQL: "mysql://x:Owner-mark-1@y/z" });
    assert.deepEqual([wrong.code, /Owner-mark/.test(wrong.error)], [64, false]);
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
