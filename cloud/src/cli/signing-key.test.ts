import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { fileURLToPath } from "node:url";
import { generateKeyPair } from "@sallyport/shared/crypto/identity.ts";
import { publicKeyOf, verifyJws } from "@sallyport/shared/crypto/jws.ts";
import { loadSigningKey } from "../agents/signing-key.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));
const ORIGIN = "https://o.test";
const folder = mkdtempSync(join(tmpdir(), "sallyport-signing-key-"));
const file = join(folder, "key.json");
after(() => rmSync(folder, { recursive: true }));

const ctl = (verb: string, ...more: string[]) =>
  spawnSync(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      MAIN,
      "signing-key",
      verb,
      "--file",
      file,
      "--origin",
      ORIGIN,
      "--json",
      ...more,
    ],
    { encoding: "utf8", env: { PATH: process.env.PATH ?? "" } },
  );

it("announce, then adopt: each set is signed by a key of the one before, and the file stays its owner's", async () => {
  const first = await generateKeyPair("ES256");
  writeFileSync(file, JSON.stringify(first.privateJwk, null, 2), { mode: 0o600 });
  assert.equal(ctl("adopt").status, 1, "nothing was announced");
  const announced = ctl("announce");
  assert.equal(announced.status, 0, announced.stderr);
  assert.deepEqual((JSON.parse(announced.stdout) as { seq: number; keys: string[] }).seq, 2);
  assert.equal(ctl("announce").status, 1, "one is announced already");
  const during = await loadSigningKey(file);
  assert.deepEqual([during.signer.kid, during.keys.length], [first.kid, 2]);
  assert.equal(ctl("adopt").status, 0);
  const now = await loadSigningKey(file);
  assert.deepEqual([now.seq, now.keys.length], [3, 1]);
  assert.notEqual(now.signer.kid, first.kid);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const chain = now.chainSince(1);
  assert.equal(chain.length, 2);
  assert.deepEqual(now.chainSince(3), []);
  const expected = { purpose: "keys", alg: "ES256" } as const;
  const one = await verifyJws(chain[0]!, expected, (kid) =>
    kid === first.kid ? publicKeyOf(first.publicJwk) : undefined,
  );
  assert.ok(one.ok, "the announcement is signed by the key that agents have");
  const next = now.keys[0]!;
  const two = await verifyJws(chain[1]!, expected, (kid) => (kid === now.signer.kid ? publicKeyOf(next) : undefined));
  assert.ok(two.ok && JSON.parse(two.payload.toString()).aud === ORIGIN);
});

it("a file that others read, that holds no key, or an address that is none changes nothing", () => {
  const before = readFileSync(file, "utf8");
  assert.equal(ctl("announce", "--origin", "http://o.test").status, 64);
  assert.equal(ctl("announce", "--origin", "https://o.test/path").status, 64);
  writeFileSync(join(folder, "none.json"), "{}", { mode: 0o600 });
  assert.equal(ctl("announce", "--file", join(folder, "none.json")).status, 78);
  assert.equal(ctl("announce", "--file", join(folder, "missing.json")).status, 78);
  assert.equal(readFileSync(file, "utf8"), before);
});
