import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ensureMaskKey, readMaskKey } from "../mask-key.ts";
import { makeFolders, type Pinned, statePaths, writePinned } from "../state.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const PASSPHRASE = "correct horse battery";
let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-mask-key-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const PINNED = {
  v: 1,
  agent: "a".repeat(32),
  tenant: "contoso",
  tenantName: "Contoso",
  site: "oslo",
  siteName: "Oslo",
  origin: "https://sallyport.example",
  relayHost: "contoso.servicebus.windows.net",
  listenUrl: null,
  keysSeq: 0,
  keys: [{}],
  settings: { canarySeconds: 300 },
} satisfies Pinned;

function agentIn(name: string) {
  const root = join(folder, name);
  mkdirSync(root);
  const paths = statePaths(root);
  makeFolders(paths);
  writePinned(paths, PINNED);
  return { root, paths };
}

const maskKey = (args: readonly string[], stdin = "") => {
  const command = ["--disable-warning=ExperimentalWarning", MAIN, "mask-key", ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: "utf8", input: stdin });
  return { status, stdout, stderr };
};

test("from one agent to another, under a passphrase that no command line sees", () => {
  const [one, other] = [agentIn("one"), agentIn("other")];
  const file = join(folder, "oslo.mask-key");
  assert.equal(maskKey(["show", "--state", one.root]).status, 1);
  const exported = maskKey(["export", "--state", one.root, "--out", file], `${PASSPHRASE}\n`);
  assert.equal(exported.status, 0, exported.stderr);
  const key = readMaskKey(one.paths);
  assert.match(exported.stdout, new RegExp(`holds mask key ${key?.id}`));
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(!readFileSync(file, "utf8").includes(Buffer.from(key?.key ?? []).toString("base64url")));

  const passphraseFile = join(folder, "passphrase");
  writeFileSync(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o644 });
  const open = maskKey(["import", file, "--state", other.root, "--passphrase-file", passphraseFile]);
  assert.equal(open.status, 64);
  assert.match(open.stderr, /others may read .*chmod 600/);
  chmodSync(passphraseFile, 0o600);
  const imported = maskKey(["import", file, "--state", other.root, "--passphrase-file", passphraseFile, "--json"]);
  assert.deepEqual(JSON.parse(imported.stdout), { id: key?.id });
  assert.deepEqual(readMaskKey(other.paths), key);
  assert.equal(maskKey(["show", "--state", other.root]).stdout, `${key?.id}\n`);
});

test("a wrong passphrase changes nothing; a key in use is given up only when that is said", () => {
  const [one, other] = [agentIn("first"), agentIn("second")];
  const own = ensureMaskKey(other.paths);
  const sealed = maskKey(["export", "--state", one.root], PASSPHRASE);
  assert.equal(sealed.status, 0, sealed.stderr);
  const file = join(folder, "second.mask-key");
  writeFileSync(file, sealed.stdout);
  const wrong = maskKey(["import", file, "--state", other.root], "another passphrase");
  assert.deepEqual([wrong.status, wrong.stdout], [78, ""]);
  assert.match(wrong.stderr, /passphrase is not the one/);
  const held = maskKey(["import", file, "--state", other.root], PASSPHRASE);
  assert.equal(held.status, 78);
  assert.match(held.stderr, /--replace/);
  assert.deepEqual(readMaskKey(other.paths), own);
  assert.equal(maskKey(["import", file, "--state", other.root, "--replace"], PASSPHRASE).status, 0);
  assert.deepEqual(readMaskKey(other.paths), readMaskKey(one.paths));
});

test("what cannot be done is refused with what to do", () => {
  const { root } = agentIn("refused");
  const short = maskKey(["export", "--state", root], "short");
  assert.equal(short.status, 64);
  assert.match(short.stderr, /at least 12 characters/);
  assert.equal(maskKey(["export", "--state", join(folder, "nowhere")], PASSPHRASE).status, 78);
  assert.equal(maskKey(["import", join(folder, "missing"), "--state", root], PASSPHRASE).status, 64);
  assert.equal(maskKey(["export", "--state", root, "--passphrase", PASSPHRASE]).status, 64);
  writeFileSync(join(folder, "there"), "");
  assert.equal(maskKey(["export", "--state", root, "--out", join(folder, "there")], PASSPHRASE).status, 64);
});
