/**
 * Kerberos through the whole system: pulls that sign in by `negotiate`, and where the password is meanwhile and afterwards: in the
 * executor, in the sign-in child, and nowhere else.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SIGN_IN_MODULE } from "@sallyport/agent/src/program.ts";
import { startTap, type Tap } from "../../emulators/ldap/tap.ts";
import { readJournal } from "../../stack/agent.ts";
import { type Child, startChild } from "../../stack/children.ts";
import { createCleanup } from "../../stack/cleanup.ts";
import { SOURCES } from "../../stack/program.ts";
import { fetchRun, runPull } from "../../stack/pull.ts";
import { SITE, type Stack, startStack, TENANT } from "../../stack/start.ts";
import { childrenOf, commandLine, descendantsOf, environment, gone, held, limits, until } from "../processes.ts";
import { encodings, type Needle } from "../secrets/encodings.ts";
import { coresIn, filesBelow, newCores, scanFiles } from "../secrets/files.ts";
import { scanMemory } from "../secrets/memory.ts";
import { findIn } from "../secrets/search.ts";
import type { Check } from "../suite.ts";
import type { Controller } from "./controller.ts";
import { everybody } from "./following.ts";
import { PASSWORD, READER, STAFF } from "./people.ts";
import { targetOf } from "./sign-ins.ts";

const CONNECTION = "corp";
const PULL = "by-kerberos";
/** Of answers: behind the sign-in, in the middle of everybody. */
const MIDDLE_BYTES = 300_000;

interface World {
  readonly folder: string;
  readonly stack: Stack;
  readonly agent: Child;
  readonly tap: Tap;
  /** Before the key server: a sign-in child whose answer is held is there, with the password in its hands. */
  readonly keys: Tap;
  readonly needles: readonly Needle[];
}

export async function checkKerberosPull(check: Check, controller: Controller): Promise<void> {
  const cleanup = createCleanup();
  const before = process.env.TMPDIR;
  const folder = cleanup.add(mkdtempSync(join(tmpdir(), "sallyport-kerberos-")), (it) => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(it, { recursive: true, force: true });
  });
  process.env.TMPDIR = join(folder, "tmp");
  mkdirSync(process.env.TMPDIR);
  try {
    const tap = cleanup.add(await startTap(636), (it) => it.close());
    const keys = cleanup.add(await startTap(88), (it) => it.close());
    const caFile = join(folder, "directory-ca.pem");
    writeFileSync(caFile, controller.caPem);
    const stack = await startStack({ folder, cleanup, policy: () => policyOf(tap.port, caFile) });
    await stack.agent.close();
    const krb5Config = join(folder, "krb5.conf");
    writeFileSync(krb5Config, through(keys.port, readFileSync(controller.krb5Config, "utf8")));
    const agent = await startAgain(stack, krb5Config);
    cleanup.add(agent, (it) => it.close());
    await prepare(stack);
    await runChecks(check, controller, { folder, stack, agent, tap, keys, needles: passwordNeedles() });
  } finally {
    await cleanup.run();
  }
}

/** The part of it that is the same in every narrow encoding. */
function passwordNeedles(): Needle[] {
  const needles = encodings("password", /^[ -~]{12,}/.exec(PASSWORD)?.[0] ?? "");
  assert.ok(findIn([Buffer.from(JSON.stringify(READER))], needles).length > 0);
  return needles;
}

/** As its owner's service would be, told by its environment where this machine's Kerberos configuration is. */
async function startAgain({ agent, folder }: Stack, krb5Config: string): Promise<Child> {
  const child = startChild({
    name: "agent",
    args: [SOURCES.sallyport, "run", "--config", join(agent.stateDir, "agent.yaml"), "--insecure-files"],
    env: { KRB5_CONFIG: krb5Config },
    logFile: join(folder, "logs/agent.log"),
  });
  const online = new Promise<void>((resolve) => {
    let text = "";
    child.process.stderr?.on("data", (piece) => {
      text = `${text}${piece}`.slice(-10_000);
      if (text.includes("control channel online")) resolve();
    });
  });
  await Promise.race([online, child.ended]);
  return child;
}

/** By TCP alone, which a tap understands (krb5.conf(5)). */
const through = (port: number, config: string): string =>
  config
    .replace("[libdefaults]", "[libdefaults]\n  udp_preference_limit = 1")
    .replace("kdc = 127.0.0.1", `kdc = 127.0.0.1:${port}`);

async function prepare({ api }: Stack): Promise<void> {
  const { user, password } = READER;
  await api.post(`/tenants/${TENANT}/connections`, { id: CONNECTION, site: SITE, kind: "activeDirectory" });
  const path = `/tenants/${TENANT}/connections/${CONNECTION}/credential`;
  await api.put(path, { user, password, signIn: "negotiate" });
  await api.post(`/tenants/${TENANT}/pulls`, {
    id: PULL,
    definition: {
      connection: CONNECTION,
      operation: { op: "ad.search", base: STAFF, classes: ["user"], attributes: ["objectGUID", "sAMAccountName"] },
      sink: { type: "blob", format: "ndjson" },
    },
  });
}

async function runChecks(check: Check, controller: Controller, world: World): Promise<void> {
  const { folder, stack, agent, tap, keys, needles } = world;
  const supervisor = agent.process.pid!;
  const tickets = (): string[] => readdirSync("/tmp").filter((name) => name.startsWith("krb5cc"));
  const ticketsBefore = tickets();
  const cores = new Set(coresIn(process.cwd()));
  const pull = () => runPull(stack.api, TENANT, PULL);
  const signingIn = (): number | undefined =>
    childrenOf(supervisor).find((pid) => commandLine(pid).includes(SIGN_IN_MODULE));

  await check("a pull signs in by Kerberos through the whole system, and everybody is in its parts", async () => {
    const ended = await pull();
    assert.equal(ended.run.state, "published", JSON.stringify(ended.run.error));
    const { parts } = await fetchRun(stack.api, TENANT, ended, join(folder, "out"));
    const names = parts.flatMap((part) => readFileSync(part, "utf8").trimEnd().split("\n")).map(nameIn);
    const all = await everybody(targetOf(controller, "required", "simple"));
    assert.deepEqual(names.sort(), all.map(([, name]) => name).sort());
    assert.equal(tap.connections, 1);
  });

  await check(
    "while it signs in, its child and its executor hold the password, the supervisor between them does not",
    async () => {
      const answered = keys.hold(0);
      const run = pull();
      await Promise.race([answered, run]);
      const child = signingIn();
      assert.ok(child !== undefined, "somebody else asked the key server");
      try {
        assert.ok((await held(child, () => scanMemory(child, needles))).found.length > 0);
        assert.deepEqual((await held(supervisor, () => scanMemory(supervisor, needles))).found, []);
        assert.deepEqual(processFaults(needles), []);
        assert.match(limits(child), /^Max core file size +0 +0 /m);
      } finally {
        keys.release();
      }
      await gone(child);
      assert.equal((await run).run.state, "published");
    },
  );

  await check("while it reads, only its executor holds it; the child has gone", async () => {
    const middle = tap.hold(MIDDLE_BYTES);
    const run = pull();
    await Promise.race([middle, run]);
    try {
      assert.equal(signingIn(), undefined);
      const holding = [];
      for (const pid of descendantsOf(supervisor)) {
        if ((await held(pid, () => scanMemory(pid, needles))).found.length > 0) holding.push(pid);
      }
      assert.equal(holding.length, 1);
      assert.match(limits(holding[0]!), /^Max core file size +0 +0 /m);
      assert.deepEqual((await held(supervisor, () => scanMemory(supervisor, needles))).found, []);
      assert.deepEqual(processFaults(needles), []);
    } finally {
      tap.release();
    }
    assert.equal((await run).run.state, "published");
  });

  await check(
    "a sign-in child that crashes is one failed sign-in, without a core, and no other way is tried",
    async () => {
      const connections = tap.connections;
      const answered = keys.hold(0);
      const run = pull();
      await Promise.race([answered, run]);
      const child = signingIn();
      assert.ok(child !== undefined, "somebody else asked the key server");
      process.kill(child, "SIGSEGV");
      keys.release();
      await until("its session ends", () => ends(stack).some(({ code }) => code === "directory.kerberos"));
      const { run: ended } = await run;
      // It is one of those that are tried again.
      assert.equal(ended.state, "published", JSON.stringify(ended.error));
      assert.equal(tap.connections - connections, 2);
      assert.deepEqual(newCores(process.cwd(), cores), []);
    },
  );

  await check(
    "neither journal, status, logs nor any other file holds the password, and no ticket is left",
    async () => {
      await agent.close();
      const files = filesBelow(folder);
      for (const path of ["agent/journal/journal.jsonl", "agent/run/status.json", "logs/agent.log"]) {
        assert.ok(files.includes(path), path);
      }
      assert.deepEqual(
        scanFiles(folder, needles, () => false),
        [],
      );
      assert.deepEqual(
        files.filter((path) => /(^|\/)(core(\.[0-9]+)?|krb5cc.*)$/.test(path)),
        [],
      );
      assert.deepEqual(tickets(), ticketsBefore);
      assert.deepEqual(findIn([tap.said], needles), []);
      assert.ok(ends(stack).length >= 4);
    },
  );
}

const nameIn = (line: string): unknown => (JSON.parse(line) as { sAMAccountName: unknown }).sAMAccountName;

const ends = (stack: Stack): Record<string, unknown>[] =>
  readJournal(stack.agent.stateDir).filter(({ event }) => event === "end");

/** Whose arguments or environment hold it, of all that this suite started. */
const processFaults = (needles: readonly Needle[]): number[] =>
  [process.pid, ...descendantsOf(process.pid)].filter(
    (pid) => findIn([Buffer.from(`${[...commandLine(pid), ...environment(pid)].join("\n")}\n`)], needles).length > 0,
  );

const policyOf = (port: number, caFile: string): string => `v: 1
limits: { sessionsPerMinute: 600 }
connections:
  ${CONNECTION}:
    kind: activeDirectory
    address: localhost:${port}
    tls: { mode: required, ca: ${JSON.stringify(caFile)} }
    logins: [${READER.user}]
    signIn: [negotiate]
    rules:
      - id: staff
        allow: [search]
        bases: ["${STAFF}"]
        classes: [user]
        attributes: [objectGUID, sAMAccountName]
`;
