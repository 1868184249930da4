/** The rules of journal and executors (docs/journal.md, docs/security/claims.md), shown by the running agent. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readJournal, sallyport } from "../../stack/agent.ts";
import { createCleanup } from "../../stack/cleanup.ts";
import { type InstalledAgent, installAgent } from "../installed-agent.ts";
import { strace, traced } from "../network/strace.ts";
import { childrenOf, commandLine, descriptor, environment, limits, status, until } from "../processes.ts";
import type { Check, Suite } from "../suite.ts";
import { startWorld, type World } from "../world.ts";
import { contactOrder, ORDER_CALLS, ORDER_OPTIONS } from "./order.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const EXECUTOR = join(ROOT, "agent/src/executor/main.ts");
const SITE = "recorded";
/** The least that agent.yaml may say. */
const MEMORY_MIB = 192;

export const journal: Suite = {
  name: "journal",
  about: "the journal's lines and their order, what confines executors, what is refused",
  async run(check) {
    const cleanup = createCleanup();
    try {
      await runChecks(check, await startWorld("journal", cleanup));
    } finally {
      await cleanup.run();
    }
  },
};

async function runChecks(check: Check, world: World): Promise<void> {
  const agent = await installAgent(world, SITE);
  await world.definePull("recorded", SITE, "dbo.Marked");
  await world.definePull("recorded-slow", SITE, "dbo.Slow");
  const lines = () => readJournal(agent.stateDir);
  const verified = async () =>
    assert.equal((await sallyport(["journal", "verify", "--state", agent.stateDir])).exitCode, 0);

  await confinement(check, world, agent);

  await check("each contact with a source comes after its request line was written and synced", async () => {
    const file = join(world.folder, "order.trace");
    await agent.start({ wrapper: strace(file, ORDER_CALLS, ...ORDER_OPTIONS) });
    for (let session = 0; session < 3; session += 1) await world.pull("recorded");
    assert.equal(await agent.stop(), 0);
    const { contacts, faults } = contactOrder(await traced(file), world.tds.port);
    assert.ok(contacts >= 3);
    assert.deepEqual(faults, []);
  });

  await check("a line that cannot be synced: agent.journal_unwritable, and the source is not contacted", async () => {
    await agent.start();
    await world.pull("recorded");
    const [before, logins] = [lines(), loginsOf(world)];
    const failing = await failSyncs(agent.process.pid!);
    const run = await world.startRun("recorded");
    await until("the session is refused", () => failing.failed() > 0 && childrenOf(agent.process.pid!).length > 0);
    await until("the platform hears of it", async () => {
      const { error } = await world.run(run.id);
      return error?.code === "agent.journal_unwritable";
    });
    assert.equal(loginsOf(world), logins);
    assert.deepEqual(
      lines().filter(({ event, seq }) => event === "request" && !before.some((line) => line.seq === seq)),
      [],
    );
    await failing.end();
    assert.equal((await world.runEnd(run.id)).state, "published");
    await verified();
  });

  await check(
    "without its journal's folder the agent takes no session, and the run waits until it is back",
    async () => {
      const [folder, away, logins] = [
        join(agent.stateDir, "journal"),
        join(agent.stateDir, "journal-away"),
        loginsOf(world),
      ];
      renameSync(folder, away);
      const run = await world.startRun("recorded");
      await until("the platform hears of it", async () => {
        const { error } = await world.run(run.id);
        return error?.code === "agent.journal_unwritable";
      });
      assert.equal(loginsOf(world), logins);
      renameSync(away, folder);
      assert.equal((await world.runEnd(run.id)).state, "published");
      await verified();
    },
  );

  await check(
    "a supervisor that was killed in a session: the next start gives its line agent.interrupted",
    async () => {
      const { run } = await world.hang("recorded-slow", agent.process.pid!);
      const open = lines().at(-1);
      assert.equal(open?.event, "request");
      await agent.stop("SIGKILL");
      await agent.start();
      const end = lines().find(({ event, request }) => event === "end" && request === open.request);
      assert.equal(end?.code, "agent.interrupted");
      assert.equal((await world.runEnd(run)).state, "published");
      await verified();
      assert.equal(await agent.stop(), 0);
    },
  );

  await check(
    "an executor above its memory is killed: limit.memory in the journal, no row visible, and the agent goes on",
    async () => {
      await fillHuge(world);
      await world.definePull("huge", SITE, "dbo.Huge");
      await agent.start({ config: `executorMemory: ${MEMORY_MIB}MiB\n` });
      await world.pull("recorded");
      const run = await world.startRun("huge");
      const killed = await until("its executor is killed", () => lines().find(({ code }) => code === "limit.memory"));
      assert.equal(killed.event, "end");
      const ofSession = lines().filter(({ request }) => request === killed.request);
      assert.deepEqual(
        ofSession.map(({ event }) => event),
        ["request", "end"],
      );
      const { state, rows, error } = await world.runEnd(run.id);
      assert.deepEqual([state, error?.code, rows], ["failed", "limit.memory", 0]);
      await world.pull("recorded");
      await verified();
      assert.equal(await agent.stop(), 0);
    },
  );

  await check("a journal that cannot be opened stops the start, before anything is contacted", async () => {
    const current = join(agent.stateDir, "journal", "journal.jsonl");
    renameSync(current, `${current}.away`);
    mkdirSync(current);
    await assert.rejects(agent.start(), /the agent ended with [1-9]/);
  });
}

async function confinement(check: Check, world: World, agent: InstalledAgent): Promise<void> {
  await check("an executor without --permission, or with more rights than it needs, exits 78", async () => {
    for (const flags of [
      [],
      ["--permission", "--allow-fs-read=*", "--allow-fs-write=*"],
      ["--permission", "--allow-fs-read=*", "--allow-child-process"],
    ]) {
      const child = spawn(process.execPath, [...flags, EXECUTOR], { stdio: ["ignore", "ignore", "ignore", "ipc"] });
      const [code] = (await once(child, "exit")) as [number];
      assert.equal(code, 78, flags.join(" "));
    }
  });

  await check(
    "executors have exactly their flags, of the environment what bounds memory, no core dumps, no new rights, no output",
    async () => {
      await agent.start();
      await world.pull("recorded");
      const [executor] = await until("an executor waits", () => {
        const pids = childrenOf(agent.process.pid!).filter((pid) => commandLine(pid)[0] === process.execPath);
        return pids.length > 0 && pids;
      });
      const [, ...args] = commandLine(executor!);
      // From sources executors read the repository or folders in it, from a bundle that alone.
      const READ = "--allow-fs-read=";
      const reads = args.filter((arg) => arg.startsWith(READ)).map((arg) => `${arg.slice(READ.length)}/`);
      assert.ok(reads.length > 0 && reads.every((folder) => folder.startsWith(ROOT)), reads.join());
      // The sizes of the heap, and when it is swept, are no rights; they bound memory.
      const others = args.filter((arg) => !arg.startsWith(READ)).map((arg) => arg.replace(/(?<=-size=)[0-9]+$/, "N"));
      assert.deepEqual(others, [
        "--permission",
        "--no-experimental-sqlite",
        "--disable-sigusr1",
        "--max-old-space-size=N",
        "--max-semi-space-size=N",
        "--expose-gc",
        EXECUTOR,
      ]);
      const names = environment(executor!).map((entry) => entry.split("=")[0]);
      assert.deepEqual(names.toSorted(), ["MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_"]);
      assert.match(limits(executor!), /^Max core file size\s+0\s+0\s/m);
      assert.match(status(executor!), /^NoNewPrivs:\s+1$/m);
      for (const fd of [0, 1, 2]) assert.equal(descriptor(executor!, fd), "/dev/null");
      assert.equal(await agent.stop(), 0);
    },
  );
}

/** How often somebody has logged in at the source. */
const loginsOf = ({ tds }: World): number => tds.log.filter(({ kind }) => kind === "login").length;

/** Lets every `fdatasync` of a process fail as a full or broken disk would, until `end`. */
async function failSyncs(pid: number): Promise<{ failed: () => number; end: () => Promise<void> }> {
  const args = ["-f", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO", "-p", String(pid)];
  const tracer: ChildProcess = spawn("strace", args, { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  tracer.stderr?.on("data", (piece) => {
    text += piece;
  });
  await until("strace is attached", () => /attached/.test(text));
  return {
    failed: () => text.split("(INJECTED)").length - 1,
    async end() {
      tracer.kill("SIGINT");
      await once(tracer, "exit");
    },
  };
}

/** A row of eight values of 12 MB each: more than an executor of `MEMORY_MIB` may hold. */
async function fillHuge({ tds }: World): Promise<void> {
  const names = Array.from({ length: 8 }, (_, index) => `Note${index}`);
  const columns = names.map((name) => `${name} nvarchar(max) NULL`).join(", ");
  await tds.sql(`CREATE TABLE dbo.Huge (Id int NOT NULL PRIMARY KEY, ${columns})`);
  await tds.sql("INSERT INTO dbo.Huge (Id) VALUES (1)");
  for (const name of names) {
    await tds.sql(`UPDATE dbo.Huge SET ${name} = N'${"x".repeat(6_000_000)}'`);
    // The server works in this process: sockets that were closed meanwhile want to be noticed before they are used.
    await turn();
  }
}
