import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { ConfigError } from "../config-error.ts";
import { makeFolders, type StatePaths, statePaths } from "../state.ts";
import type { Run } from "./command.ts";
import { encryptSeed } from "./credential.ts";

const KEY = { alg: "X-Wing", publicKey: "cHVibGlj" };
let folder: string;
let paths: StatePaths;
let credential: { name: string; file: string };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-credential-"));
  paths = statePaths(join(folder, "state"));
  credential = { name: "seed", file: join(folder, "store", "seed") };
  makeFolders(paths);
  writeFileSync(paths.unseal, JSON.stringify({ ...KEY, seed: "c2VlZA" }));
});
afterEach(() => rmSync(folder, { recursive: true }));

const ok = (stdout = "") => ({ code: 0, stdout, stderr: "" });
const stored = () => JSON.parse(readFileSync(paths.unseal, "utf8"));

/** systemd-creds, as far as it is asked. */
const systemdCreds: Run = (_, [verb, , from, to], input) => {
  if (verb === "decrypt") return ok(Buffer.from(readFileSync(from!, "utf8"), "hex").toString());
  writeFileSync(to!, Buffer.from(input!).toString("hex"), { flag: "wx" });
  return ok();
};

test("the secret part becomes a credential and leaves its file, also when that is repeated after a new enrolment", () => {
  encryptSeed(paths, systemdCreds, credential);
  assert.deepEqual(stored(), KEY);
  assert.equal(readFileSync(credential.file, "utf8"), Buffer.from("c2VlZA").toString("hex"));
  encryptSeed(paths, systemdCreds, credential);
  assert.deepEqual(stored(), KEY);
  writeFileSync(paths.unseal, JSON.stringify({ ...KEY, seed: "bmV3" }));
  encryptSeed(paths, systemdCreds, credential);
  assert.equal(readFileSync(credential.file, "utf8"), Buffer.from("bmV3").toString("hex"));
});

test("it stays where it is when the system cannot encrypt, or opens something else again", () => {
  const broken: Run[] = [
    () => undefined,
    () => ({ code: 1, stdout: "", stderr: "no TPM" }),
    (command, args, input) => (args[0] === "decrypt" ? ok("other") : systemdCreds(command, args, input)),
  ];
  for (const run of broken) {
    assert.throws(() => encryptSeed(paths, run, credential), ConfigError);
    assert.deepEqual(stored(), { ...KEY, seed: "c2VlZA" });
  }
});

test("without a key there is nothing to encrypt", () => {
  rmSync(paths.unseal);
  assert.throws(() => encryptSeed(paths, systemdCreds, credential), /enrol first/);
});
