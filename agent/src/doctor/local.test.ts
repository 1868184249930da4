import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { generateSeededKey } from "@sallyport/shared/crypto/envelope.ts";
import { generateKeyPair } from "@sallyport/shared/crypto/identity.ts";
import { adoptNewKeys, storeNewKeys } from "../keys.ts";
import { digestPolicy, parsePolicy } from "../policy/file.ts";
import { makeFolders, type StatePaths, statePaths } from "../state.ts";
import { isChangeable } from "../supervisor/files.ts";
import type { AgentStatus } from "../supervisor/status.ts";
import { type Check, type Finding, runChecks } from "./check.ts";
import { checkFiles, closed, rightsOf } from "./files.ts";
import { checkJournal, judgedKeeping, judgedSpace } from "./journal.ts";
import { checkKeys } from "./keys.ts";
import { checkPolicy } from "./policy.ts";

const DAY_MS = 86_400_000;
const NOW = new Date("2026-11-22T12:00:00Z");
let folder: string;
let paths: StatePaths;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-doctor-"));
  paths = statePaths(folder);
  makeFolders(paths);
  storeNewKeys(paths, await generateKeyPair("EdDSA"), await generateSeededKey());
  adoptNewKeys(paths);
  writeFileSync(paths.policy, "v: 1\nconnections: {}\n");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const look = async (check: Check): Promise<Finding> => (await runChecks([check], 60_000))[0]!;

const policyOf = (rules: string): string => `v: 1
connections:
  erp:
    kind: mssql
    address: sql01:1433
    database: ERP
    tls: { mode: required }
    logins: [svc]
    rules:
${rules}`;

describe("policy", () => {
  const check = (text: string, running?: AgentStatus): Promise<Finding> =>
    look(checkPolicy(() => ({ text, policy: parsePolicy(text, NOW) }), running, NOW));
  const rule = (id: string, more = ""): string =>
    `      - { id: ${id}, allow: [table], tables: [dbo.${id}], columns: "*"${more} }\n`;

  test("one that says enough is ok, with its grant that ends next", async () => {
    const text = policyOf(rule("a") + rule("b", ", until: 2027-03-31") + rule("c", ", until: 2026-12-24"));
    const found = await check(text);
    assert.deepEqual([found.status, found.details], ["ok", "1 connection, 3 rules, 1 grant ends in 32 d"]);
  });

  test("a grant that ends within a week is a warning; one that has ended is none", async () => {
    const found = await check(policyOf(rule("a", ", until: 2026-11-25") + rule("b", ", until: 2026-11-01")));
    assert.equal(found.status, "warn");
    assert.match(found.advice ?? "", /^The grant a ends in 3 days: /);
    const today = await check(policyOf(rule("a", ", until: 2026-11-22")));
    assert.equal(today.details, "1 connection, 1 rule, 1 grant ends with today");
  });

  test("one that denies everything, and one with raw SQL, are warnings", async () => {
    assert.match((await check("v: 1\nconnections: {}\n")).advice ?? "", /denies everything/);
    const raw = await check(policyOf("      - { id: raw, allow: [raw], until: 2026-12-20 }\n"));
    assert.match(raw.advice ?? "", /raw SQL/);
  });

  test("one that is not valid, and one that is not in force, are failures", async () => {
    assert.equal((await check("v: 1\nconnections: {}\nallowEverything: true\n")).status, "FAIL");
    const running = (digest: string) => ({ policy: { digest } }) as unknown as AgentStatus;
    const text = policyOf(rule("a"));
    assert.equal((await check(text, running(digestPolicy(text)))).status, "ok");
    assert.match((await check(text, running("x".repeat(43)))).details, /has another one in force, sha256:x{12}…$/);
  });
});

describe("files", () => {
  const program = (): string[] => [join(folder, "program")];
  const check = (isRunning = false): Promise<Finding> => look(checkFiles(paths, program(), isRunning));

  test("a key that others can read is a failure, and named", async () => {
    chmodSync(paths.identity, 0o640);
    const found = await check();
    assert.deepEqual([found.status, found.details], ["FAIL", `others can read ${paths.identity}`]);
    assert.match(found.advice ?? "", /^chmod go-rwx /);
  });

  test("so are a mask key, and an agent.yaml that more than its own group can read", async () => {
    writeFileSync(paths.maskKey, "", { mode: 0o600 });
    writeFileSync(paths.config, "", { mode: 0o640 });
    assert.doesNotMatch((await check()).details, /others can/);
    for (const mode of [0o644, 0o660]) {
      chmodSync(paths.config, mode);
      const found = await check();
      assert.deepEqual([found.status, found.details], ["FAIL", `others can read or change ${paths.config}`]);
      assert.match(found.advice ?? "", /chmod 640/);
    }
    chmodSync(paths.maskKey, 0o640);
    assert.equal((await check()).details, `others can read ${paths.maskKey}`);
  });

  test("files of the account that looks: root's are a warning; another's policy it could change, too, once it runs", async () => {
    const isRoot = process.getuid?.() === 0;
    const [stopped, running] = [await check(), await check(true)];
    assert.deepEqual([stopped.status, running.status], isRoot ? ["warn", "warn"] : ["FAIL", "warn"]);
    assert.match(running.advice ?? "", /docs\/hardening\.md/);
  });

  test("what another account may is read off owner, group and mode, folders above included", () => {
    const [uid, gid] = [(process.getuid?.() ?? 0) + 1, (process.getgid?.() ?? 0) + 1];
    const other = rightsOf(uid, gid);
    const file = join(folder, "closed", "file");
    mkdirSync(join(folder, "closed"), { mode: 0o755 });
    writeFileSync(file, "", { mode: 0o644 });
    assert.equal(isChangeable(file, other), false);
    chmodSync(file, 0o646);
    assert.equal(isChangeable(file, other), true);
    chmodSync(file, 0o644);
    chmodSync(join(folder, "closed"), 0o777);
    assert.equal(isChangeable(file, other), true);
    chmodSync(join(folder, "closed"), 0o1777);
    assert.equal(isChangeable(file, other), false);
    assert.equal(rightsOf(uid, process.getgid?.() ?? 0).isWritable(file), false);
    chmodSync(file, 0o664);
    assert.equal(rightsOf(uid, process.getgid?.() ?? 0).isWritable(file), true);
  });
});

test("keys: an age, a warning beyond their life, a failure without them", async () => {
  const check = (nowMs: number): Promise<Finding> => look(checkKeys(paths, 90, nowMs));
  const made = new Date("2026-01-01T00:00:00Z");
  utimesSync(paths.identity, made, made);
  const after = async (days: number) => {
    const { status, details } = await check(made.getTime() + days * DAY_MS + 1);
    return `${status} ${details}`;
  };
  assert.equal(await after(34), "ok identity 34 d old, rotates in 26 d");
  assert.equal(await after(60), "ok identity 60 d old, to be rotated");
  assert.equal(await after(91), "warn identity 91 d old, to be rotated");
  rmSync(paths.unseal);
  assert.match((await check(NOW.getTime())).details, /^missing: .*unseal/);
});

test("journal: a warning where its size would end it before its days", () => {
  const files = [
    { bytes: 300, firstAtMs: NOW.getTime() - 5 * DAY_MS },
    { bytes: 300, firstAtMs: NOW.getTime() - DAY_MS },
  ];
  const kept = (maxBytes: number, maxDays: number) => judgedKeeping(files, { maxBytes, maxDays }, NOW.getTime());
  assert.match(kept(1200, 400)?.details ?? "", /after about 10 d by their size, not after 400 d/);
  assert.equal(kept(1200, 400)?.status, "warn");
  assert.equal(kept(1200, 10), undefined);
  assert.equal(kept(1201, 400), undefined);
});

test("journal: what verify says of it, and a journal that takes too long", async () => {
  const check = (verify: Parameters<typeof checkJournal>[1], ms = 60_000): Promise<Finding> =>
    runChecks([checkJournal(paths, verify, { maxBytes: 2 ** 30, maxDays: 400 })], ms).then(([found]) => found!);
  const says = (said: object) => async () => JSON.stringify(said);
  assert.match((await check(says({}))).details, /there is none/);
  writeFileSync(join(paths.journal, "journal.jsonl"), "{}\n");
  assert.equal((await check(says({ ok: true, lines: 10_442 }))).details, "10,442 lines, chain ok");
  const broken = await check(says({ ok: false, file: "f", seq: 7, why: "does not name the line before it" }));
  assert.deepEqual([broken.status, broken.details], ["FAIL", "line 7 in f does not name the line before it"]);
  const slow = (signal: AbortSignal): Promise<string> =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
  const late = await check(slow, 50);
  assert.equal(late.status, "warn");
  assert.match(late.advice ?? "", /sallyport journal verify/);
  assert.equal((await check(() => Promise.reject(new Error("cannot start")))).details, "cannot start");
});

test("disk: room for a gibibyte, less, and too little to serve", () => {
  assert.deepEqual(
    [77 * 2 ** 30, 900 * 2 ** 20, 40 * 2 ** 20].map(
      (bytes) => `${judgedSpace(bytes).status} ${judgedSpace(bytes).details}`,
    ),
    ["ok 77 GiB free", "warn 900 MiB free", "FAIL 40 MiB free"],
  );
});

test("on Windows an installation's access lists are as they should be, or the check fails with who mends them", () => {
  const keeping = (keepsDumps: boolean) =>
    closed(
      paths,
      () => [],
      () => ({ keepsDumps }),
    );
  assert.equal(keeping(false).status, "ok");
  assert.deepEqual(
    [keeping(true).status, keeping(true).details],
    ["warn", "Windows keeps dumps of programs that crash"],
  );
  const failed = closed(paths, () => ["a: open to S-1-1-0", "b: open to S-1-1-0", "c: open to S-1-1-0"]);
  assert.deepEqual([failed.status, failed.details], ["FAIL", "a: open to S-1-1-0 and 2 more"]);
  assert.match(failed.advice ?? "", /sallyport service install/);
  assert.equal(closed(paths, () => undefined).status, "warn");
});
