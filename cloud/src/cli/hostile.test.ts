/** `sallyportctl` before a server that is not what it should be: not to be trusted, or not to be believed. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeAuthority } from "../../../test/emulators/tls/certificates.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const AGENT = "a".repeat(32);
const PRINT = `SHA256:${"f".repeat(43)}`;
/** Ends a title, clears the screen, goes up a line, turns the text around. */
const SPELL = "\u001b]0;x\u0007\u009b2J\u001b[1A\u202e";

let folder: string;
let server: Server;
let origin: string;
/** What it was asked, and what it answers. */
let asked: string[];
let onAsked = (): void => {};
const answers: Record<string, unknown> = {
  "POST /api/v1/keys": { id: "night", key: `sp_night_${SPELL}` },
  "GET /api/v1/tenants/contoso/sites/oslo/agents": [],
  [`POST /api/v1/tenants/contoso/sites/oslo/agents/${AGENT}/approve`]: {},
};
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "sallyportctl-hostile-"));
  const authority = await makeAuthority();
  writeFileSync(join(folder, "ca.pem"), authority.caPem);
  server = createServer(await authority.issue({ names: ["localhost"] }), (request, response) => {
    const name = `${request.method} ${request.url}`;
    asked.push(name);
    onAsked();
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answers[name] ?? null));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  origin = `https://localhost:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Not `spawnSync`: the server answers in this process. */
async function ctl(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  asked = [];
  const child = spawn(process.execPath, ["--no-warnings", MAIN, ...args], {
    env: { SALLYPORT_URL: origin, SALLYPORT_API_KEY: "sp_test", SALLYPORT_TENANT: "contoso", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number]>,
  ]);
  return { status, stdout, stderr };
}
const ca = () => ["--ca", join(folder, "ca.pem")];

test("an environment that switches certificate checks off gives the key to nobody", async () => {
  const { status, stderr } = await ctl(["tenants", "list"], { NODE_TLS_REJECT_UNAUTHORIZED: "0" });
  assert.equal(status, 69);
  assert.match(stderr, /authority unknown here/);
  assert.deepEqual(asked, []);
});

for (const json of [false, true]) {
  test(`a key with escape sequences in it writes none to the terminal${json ? ", as JSON neither" : ""}`, async () => {
    const args = ["keys", "create", "night", "--scope", "runs:read", ...ca(), ...(json ? ["--json"] : [])];
    const { status, stdout, stderr } = await ctl(args);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /sp_night_/);
    assert.doesNotMatch(stdout.trimEnd(), /[\p{Cc}\u202e]/u);
  });
}

test("a key is written into the file that was made for it, whatever lies under its name by then", async (t) => {
  const [file, other] = [join(folder, "night.key"), join(folder, "other")];
  writeFileSync(other, "untouched");
  onAsked = () => {
    renameSync(file, join(folder, "moved.key"));
    symlinkSync(other, file);
  };
  t.after(() => {
    onAsked = () => {};
  });
  const { status, stderr } = await ctl(["keys", "create", "night", "--scope", "runs:read", "--save", file, ...ca()]);
  assert.equal(status, 0, stderr);
  assert.equal(readFileSync(other, "utf8"), "untouched");
  assert.match(readFileSync(join(folder, "moved.key"), "utf8"), /^sp_night_/);
});

test("an agent that is not listed is not approved: nobody could compare its fingerprint", async () => {
  const { status, stderr } = await ctl(["agents", "approve", AGENT, "--site", "oslo", "--fingerprint", PRINT, ...ca()]);
  assert.equal(status, 1);
  assert.match(stderr, /It was not approved/);
  assert.deepEqual(
    asked.filter((name) => name.startsWith("POST")),
    [],
  );
});
