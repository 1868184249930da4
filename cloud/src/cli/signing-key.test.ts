import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { generateKeyPair } from "@sallyport/shared/crypto/identity.ts";
import { publicKeyOf, verifyJws } from "@sallyport/shared/crypto/jws.ts";
import { openIdentityEndpoint } from "../../../test/emulators/functions-host/identity/server.ts";
import { openSigningKey } from "../agents/signing/open.ts";
import { loadSigningKey } from "../agents/signing-key.ts";
import { OFFICER_RIGHTS, testVault } from "../secrets/test-vault.ts";

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
  assert.equal(ctl("announce", "--file", join(folder, "missing.json")).status, 64);
  assert.equal(readFileSync(file, "utf8"), before);
});

it("in a vault: announced and adopted by who signs in and may, out of turn refused, and never with a file beside", async () => {
  const { vault, identity, credential, caPem } = await testVault(OFFICER_RIGHTS, { keys: ["signing"] });
  const endpoint = await openIdentityEndpoint(identity);
  after(() => endpoint.close());
  const ca = join(folder, "ca.pem");
  writeFileSync(ca, caPem);
  const address = `${vault.url}/keys/signing`;
  const signedIn = {
    ...endpoint.settings,
    AZURE_TOKEN_CREDENTIALS: "ManagedIdentityCredential",
    NODE_EXTRA_CA_CERTS: ca,
  };
  const inVault = async (verb: string, ...more: string[]) => {
    const args = ["--disable-warning=ExperimentalWarning", MAIN, "signing-key", verb, "--origin", ORIGIN, "--json"];
    const env = { PATH: process.env.PATH ?? "", ...signedIn };
    const ended = await promisify(execFile)(process.execPath, [...args, ...more], { env }).then(
      ({ stdout }) => ({ code: 0, stdout }),
      ({ code, stdout }: { code: number; stdout: string }) => ({ code, stdout }),
    );
    return { ...ended, said: JSON.parse(ended.stdout || "{}") as { seq?: number; keys?: string[] } };
  };
  const now = () => openSigningKey(address, credential, () => new Date());
  const before = await now();
  assert.equal((await inVault("adopt", "--vault", address)).code, 1);
  const announced = await inVault("announce", "--vault", address);
  assert.deepEqual([announced.code, announced.said.seq, announced.said.keys?.length], [0, 2, 2]);
  assert.equal((await inVault("announce", "--vault", address)).code, 1);
  assert.equal((await now()).signer.kid, before.signer.kid);
  const adopted = await inVault("adopt", "--vault", address);
  assert.deepEqual([adopted.code, adopted.said.seq], [0, 3]);
  const after3 = await now();
  assert.deepEqual(adopted.said.keys, [`SHA256:${after3.signer.kid}`]);
  assert.notEqual(after3.signer.kid, before.signer.kid);
  assert.equal((await inVault("announce", "--vault", `${vault.url}/secrets/signing`)).code, 64);
  assert.equal((await inVault("announce", "--vault", address, "--file", file)).code, 64);
  assert.equal((await inVault("announce")).code, 64);
});
