/** No credential and no row stays anywhere but in the executor that serves them (docs/security/claims.md, 2). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readJournal } from "../../stack/agent.ts";
import { createCleanup } from "../../stack/cleanup.ts";
import { fetchRun } from "../../stack/pull.ts";
import { SITE, TENANT } from "../../stack/start.ts";
import {
  childrenOf,
  commandLine,
  descendantsOf,
  descriptor,
  environment,
  gone,
  held,
  until,
  workingFolder,
} from "../processes.ts";
import type { Check, Suite } from "../suite.ts";
import { CONNECTION, startWorld, type World } from "../world.ts";
import { encodings, type Needle } from "./encodings.ts";
import { coresIn, filesBelow, newCores, scanFiles } from "./files.ts";
import { scanMemory } from "./memory.ts";
import { plantCore, plantInProcess } from "./plant.ts";
import { findIn } from "./search.ts";

const REQUESTS = 20;
/** How executors are ended while they hold password and rows: killed, and crashed in two ways. */
const ENDS = ["SIGKILL", "SIGSEGV", "SIGBUS"] as const;
/** A scan that reads less has not read a Node process. */
const LEAST_BYTES = 20_000_000;

export const secrets: Suite = {
  name: "secrets",
  about: "passwords and rows in memory, files, logs, arguments and environments",
  async run(check) {
    const cleanup = createCleanup();
    try {
      await runChecks(check, await startWorld("secrets", cleanup));
    } finally {
      await cleanup.run();
    }
  },
};

async function runChecks(check: Check, world: World): Promise<void> {
  const { stack, folder } = world;
  const agent = stack.agent.process.pid!;
  const needles = { password: encodings("password", world.password), row: encodings("row's mark", world.mark) };
  const all = [...needles.password, ...needles.row];
  const printed = listen(world);
  await world.connect(CONNECTION, SITE);
  await world.definePull("quick", CONNECTION, "dbo.Marked");
  for (const end of ENDS) await world.definePull(`slow-${end.toLowerCase()}`, CONNECTION, "dbo.Slow", "ndjson");

  await check(
    "counter-example: a mark planted in a process is found in its memory, arguments and environment",
    async () => {
      const planted = await plantInProcess(world.mark);
      try {
        assert.ok((await held(planted.pid, () => scanMemory(planted.pid, needles.row))).found.length > 0);
        assert.equal(processFaults([planted.pid], needles.row).length, 2);
      } finally {
        await planted.end();
      }
    },
  );

  await check(`${REQUESTS - ENDS.length} requests through the whole stack`, async () => {
    for (let request = 0; request < REQUESTS - ENDS.length; request += 1) {
      const run = await world.pull("quick");
      if (request > 0) continue;
      const { parts } = await fetchRun(stack.api, TENANT, { run, seconds: 0 }, join(folder, "out"));
      assert.equal(parts.length, 1);
    }
  });

  const running: { end: (typeof ENDS)[number]; executor: number; run: string }[] = [];
  const folders = new Map<string, ReadonlySet<string>>();
  await check("a living executor in the middle of a read holds password and rows, and prints to nowhere", async () => {
    for (const end of ENDS) {
      const { run, executor } = await world.hang(`slow-${end.toLowerCase()}`, agent);
      running.push({ end, executor, run });
      folders.set(workingFolder(executor), new Set(coresIn(workingFolder(executor))));
      const found = await until("the executor holds both", async () => {
        const scan = await held(executor, () => scanMemory(executor, all));
        return (
          ["password,", "row's mark,"].every((mark) => scan.found.some((name) => name.startsWith(mark))) && scan.found
        );
      });
      assert.ok(found.length >= 2);
      for (const fd of [0, 1, 2]) assert.equal(descriptor(executor, fd), "/dev/null");
    }
  });

  await check("no argument and no environment of any process holds a mark, also while executors hold them", () => {
    const pids = [process.pid, ...descendantsOf(process.pid)];
    assert.ok(running.every(({ executor }) => pids.includes(executor)));
    assert.deepEqual(processFaults(pids, all), []);
  });

  await check(
    "executors are killed and crash; each hurts one session, whose run is published all the same",
    async () => {
      for (const { end, executor } of running) {
        process.kill(executor, end);
        await gone(executor);
      }
      for (const { run } of running) {
        const ended = await world.runEnd(run);
        assert.equal(ended.state, "published", JSON.stringify(ended.error));
      }
      const crashed = readJournal(stack.agent.stateDir).filter(({ code }) => code === "executor.crashed");
      assert.equal(crashed.length, ENDS.length);
    },
  );

  await check("a crash leaves no core file; counter-example: one that is planted is seen", async () => {
    for (const [where, before] of folders) assert.deepEqual(newCores(where, before), []);
    assert.deepEqual(
      filesBelow(folder).filter((path) => /(^|\/)core(\.[0-9]+)?$/.test(path)),
      [],
    );
    await plantCore((where, before) => assert.equal(newCores(where, before).length, 1));
  });

  await check(`after ${REQUESTS} requests the supervisor's memory holds neither password nor row`, async () => {
    const ends = readJournal(stack.agent.stateDir).filter(({ event }) => event === "end");
    assert.ok(ends.length >= REQUESTS);
    const scan = await held(agent, () => scanMemory(agent, all));
    assert.deepEqual(scan.found, []);
    assert.ok(scan.bytes > LEAST_BYTES, `${scan.bytes} bytes were read`);
  });

  await check("the supervisor's memory does hold what it should know: the scan reads the right process", async () => {
    const { found } = await held(agent, () => scanMemory(agent, encodings("agent's id", stack.agent.id)));
    assert.ok(found.length > 0);
  });

  await check("executors that wait for a session hold neither", async () => {
    const waiting = childrenOf(agent);
    assert.ok(waiting.length >= 1);
    for (const pid of waiting) assert.deepEqual((await held(pid, () => scanMemory(pid, all))).found, []);
  });

  await check(
    "the agent ends; neither journal, logs nor any other file holds a mark, nor what processes printed",
    async () => {
      await stack.agent.close();
      const isRows = (path: string) => /^(tmp\/tds-|storage\/__blobstorage__\/|out\/.*\.parquet$)/.test(path);
      assert.deepEqual(
        scanFiles(folder, needles.password, () => false),
        [],
      );
      assert.deepEqual(scanFiles(folder, needles.row, isRows), []);
      assert.deepEqual(findIn([printed()], all), []);
    },
  );

  await check("counter-example: the sample database, which is let pass, does hold the row's mark", () => {
    const found = scanFiles(folder, needles.row, (path) => !path.startsWith("tmp/tds-"));
    assert.ok(found.length > 0);
  });

  await check(
    "what is let pass is only what it should be: agent, logs and secrets are among the files searched",
    () => {
      const files = filesBelow(folder);
      for (const path of [
        "agent/journal/journal.jsonl",
        "logs/agent.log",
        "logs/function-app.log",
        "orchestrator/secrets.json",
      ])
        assert.ok(files.includes(path), path);
      assert.match(readFileSync(join(folder, "logs/agent.log"), "utf8"), /session ended/);
    },
  );
}

/** What the agent prints on its standard output from now on; its errors go to a file. */
function listen(world: World): () => Buffer {
  const pieces: Buffer[] = [];
  for (const child of [world.stack.agent.process, world.stack.sqlServer.process])
    child.stdout?.on("data", (piece: Buffer) => pieces.push(Buffer.from(piece)));
  return () => Buffer.concat([Buffer.from("\n"), ...pieces]);
}

/** One sentence for each process whose arguments, and each whose environment, hold a needle. */
function processFaults(pids: readonly number[], needles: readonly Needle[]): string[] {
  return pids.flatMap((pid) => {
    const places = { arguments: commandLine(pid), environment: environment(pid) };
    return Object.entries(places).flatMap(([place, texts]) =>
      findIn([Buffer.from(`${texts.join("\n")}\n`)], needles).length > 0 ? [`the ${place} of ${pid}`] : [],
    );
  });
}
