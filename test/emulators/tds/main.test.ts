import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeAuthority } from "../tls/certificates.ts";
import { ADMIN, ask, connect } from "./clients.ts";

for (const way of ["SIGTERM", "the end of stdin"]) {
  test(`as a process it says its port, serves, and exits on ${way}`, async () => {
    const authority = await makeAuthority();
    const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
    const main = fileURLToPath(new URL("./main.ts", import.meta.url));
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const setup = "CREATE TABLE dbo.T (Id int PRIMARY KEY); INSERT INTO dbo.T VALUES (7)";
    child.stdin.write(`${JSON.stringify({ tls, logins: [ADMIN], databases: ["ERP"], setup })}\n`);
    const [line] = (await once(createInterface(child.stdout), "line")) as [string];
    const { port } = JSON.parse(line) as { port: number };
    const connection = await connect({ port, ca: authority.caPem });
    assert.deepEqual(await ask(connection, "SELECT Id FROM dbo.T"), [[7]]);
    connection.close();
    if (way === "SIGTERM") child.kill("SIGTERM");
    else child.stdin.end();
    assert.deepEqual(await once(child, "exit"), [0, null]);
  });
}
