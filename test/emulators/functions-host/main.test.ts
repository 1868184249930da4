import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeAuthority } from "../tls/certificates.ts";

const main = fileURLToPath(new URL("main.ts", import.meta.url));
const app = fileURLToPath(new URL("fixtures/bundle", import.meta.url));

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "host-main-"));
  const { key, cert } = await (await makeAuthority()).issue({ names: ["localhost"] });
  await writeFile(join(folder, "key.pem"), key);
  await writeFile(join(folder, "cert.pem"), cert);
});
after(() => rm(folder, { recursive: true }));

function run(...args: string[]) {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args], {
    env: { PATH: process.env.PATH },
    stdio: "pipe",
  });
  const exited = once(child, "close").then(([code]) => code as number);
  return { child, exited, stderr: text(child.stderr) };
}

const files = () => ["--key", join(folder, "key.pem"), "--cert", join(folder, "cert.pem")];

test("it prints one line when ready, and ends when its starter's pipe does", async () => {
  const { child, exited, stderr } = run("--app", app, ...files());
  const [ready] = (await once(child.stdout, "data")) as [Buffer];
  const { url, functions } = JSON.parse(ready.toString());
  assert.match(url, /^https:\/\/localhost:\d+$/);
  assert.deepEqual(functions, ["hello"]);
  child.stdin.end();
  assert.equal(await exited, 0);
  assert.match(await stderr, /Stopping: stdin ended/);
});

const MISUSED: [what: string, args: () => string[], message: RegExp][] = [
  ["no arguments", () => [], /app/],
  ["an unknown option", () => ["--app", app, ...files(), "--tls", "x"], /--tls/],
  ["a port out of range", () => ["--app", app, ...files(), "--port", "70000"], /port/],
  ["a key file that is not there", () => ["--app", app, "--key", "none.pem", "--cert", "none.pem"], /none\.pem/],
];

for (const [what, args, message] of MISUSED) {
  test(`${what}: exit code 64`, async () => {
    const { exited, stderr } = run(...args());
    assert.equal(await exited, 64);
    assert.match(await stderr, message);
  });
}

test("an app that cannot start: exit code 1", async () => {
  const broken = fileURLToPath(new URL("fixtures/broken", import.meta.url));
  const { exited, stderr } = run("--app", broken, ...files());
  assert.equal(await exited, 1);
  assert.match(await stderr, /SALLYPORT_EXAMPLE is missing/);
});
