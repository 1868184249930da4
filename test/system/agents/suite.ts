/** Two agents at one site: whichever is killed, and whenever, every pull completes and holds every row once. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { AgentView } from "@sallyport/shared/schema/api-views.ts";
import { readArrowRows } from "../../e2e/arrow-reader.ts";
import { type RunningAgent, runAgent, sallyport } from "../../stack/agent.ts";
import { createCleanup } from "../../stack/cleanup.ts";
import { fetchRun, runPull } from "../../stack/pull.ts";
import { fillSample } from "../../stack/sample.ts";
import { CONNECTION, SITE, type Stack, startStack, TENANT } from "../../stack/start.ts";
import type { Check, Suite, SuiteOptions } from "../suite.ts";
import { lock, unlock } from "./lock.ts";
import { after, MOMENTS, type Moment } from "./moments.ts";

const FLIGHTS = 60_000;
/** Kills at moments that are drawn. */
const DRAWN = 4;
/** A run on the slowed link takes about as long. */
const LONGEST_MS = 4_000;

export const agents: Suite = {
  name: "agents",
  about: "two agents at one site, either of them killed at any moment: every pull completes, rows exactly once",
  async run(check, options) {
    const cleanup = createCleanup();
    const folder = mkdtempSync(join(tmpdir(), "sallyport-two-agents-"));
    try {
      const settings = { SALLYPORT_BACKOFF_SECONDS: "1", SALLYPORT_CANARY_SECONDS: "30" };
      const stack = await startStack({ folder, cleanup, settings });
      stack.broken.catch(() => undefined); // agents end here on purpose
      cleanup.add(await fillSample(stack.sqlServer.server, FLIGHTS, () => undefined), (it) => it.close());
      const site = { stack, folder, agents: [stack.agent, await stack.addAgent("agent-2")] as Pair };
      cleanup.add(site, ({ agents: all }) => Promise.all(all.map((agent) => agent.close())));
      await runChecks(check, site, options);
    } finally {
      await cleanup.run();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

type Pair = [RunningAgent, RunningAgent];

interface TwoAgents {
  readonly stack: Stack;
  readonly folder: string;
  /** As they run now: one that was killed is replaced by its next process. */
  readonly agents: Pair;
}

async function runChecks(check: Check, site: TwoAgents, { seed = Date.now() }: SuiteOptions = {}): Promise<void> {
  await check("both are pinged once, answer with what they are, and are not pinged again at once", () => pinged(site));
  for (const victim of [0, 1] as const) {
    await check(`agent ${victim + 1} becomes the one that is dialled first`, () => dialledFirst(site, victim));
    for (const moment of MOMENTS) {
      await check(`agent ${victim + 1} is killed ${moment.name}`, () => killed(site, victim, moment));
    }
    for (const ms of drawn(seed + victim)) {
      const moment = after(ms);
      await check(`agent ${victim + 1} is killed ${moment.name} (seed ${seed})`, () => killed(site, victim, moment));
    }
  }
  await check("both journals' chains are whole", async () => {
    for (const { stateDir } of site.agents) {
      const { exitCode, stdout } = await sallyport(["journal", "verify", "--state", stateDir]);
      assert.equal(exitCode, 0, stdout);
    }
  });
}

/** Times in milliseconds, the same for the same seed (a linear congruential generator: Numerical Recipes). */
function drawn(seed: number): number[] {
  let state = seed % 2 ** 32;
  return Array.from({ length: DRAWN }, () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return Math.floor((state / 2 ** 32) * LONGEST_MS);
  });
}

interface Ticked {
  readonly canaries: { readonly agents: number; readonly sent: number; readonly answered: number };
}

const tick = async ({ stack }: TwoAgents): Promise<Ticked["canaries"]> =>
  (await stack.api.post<Ticked>("/schedule/tick", {})).canaries;

const listed = ({ stack }: TwoAgents): Promise<AgentView[]> =>
  stack.api.get<AgentView[]>(`/tenants/${TENANT}/sites/${SITE}/agents`);

async function pinged(site: TwoAgents): Promise<void> {
  // The function app's own timer may have been there first, even before an agent listened.
  const isDone = ({ canaryAt, canaryCode }: AgentView) =>
    canaryAt !== null || (canaryCode ?? "agent.offline") !== "agent.offline";
  while (!(await listed(site)).every(isDone)) {
    await tick(site);
    await pause(500);
  }
  for (const agent of await listed(site)) {
    assert.deepEqual([agent.maxSessions, agent.canaryCode, agent.locked], [4, null, false]);
    assert.equal(agent.reachedAt, agent.canaryAt);
  }
  assert.deepEqual(await tick(site), { agents: 2, sent: 0, answered: 0 });
}

/** The other one announces a lock, and takes it away unannounced: it is still there for whoever asks. */
async function dialledFirst(site: TwoAgents, victim: 0 | 1): Promise<void> {
  const other = site.agents[1 - victim]!;
  lock(other.stateDir);
  const isKnown = async () => {
    const now = await listed(site);
    return now.every(({ id, locked }) => locked === (id === other.id));
  };
  // Canaries are half a minute apart.
  while (!(await isKnown())) {
    await tick(site);
    await pause(500);
  }
  unlock(other.stateDir);
}

let pulls = 0;

async function killed(site: TwoAgents, victim: 0 | 1, moment: Moment): Promise<void> {
  const { stack, agents: pair, folder } = site;
  const agent = pair[victim];
  const scene = { relay: stack.relay, victim: agent };
  const pull = `flights-${++pulls}`;
  await stack.api.post(`/tenants/${TENANT}/pulls`, {
    id: pull,
    definition: {
      connection: CONNECTION,
      operation: { op: "sql.table", table: "dbo.Flights", columns: "*" },
      watermark: "none",
      sink: { type: "blob", format: "arrow" },
    },
  });
  const gone = agent.ended.catch(() => undefined);
  moment.prepare(scene);
  const running = runPull(stack.api, TENANT, pull);
  await Promise.race([moment.come(scene), running]);
  agent.process.kill("SIGKILL");
  await gone;
  moment.clear(scene);
  const ended = await running;
  assert.equal(ended.run.state, "published", JSON.stringify(ended.run.error));
  const { parts } = await fetchRun(stack.api, TENANT, ended, join(folder, "out"));
  const ids = parts.flatMap((part) => readArrowRows(part).rows.map(([id]) => Number(id)));
  assert.equal(ids.length, FLIGHTS);
  assert.equal(new Set(ids).size, FLIGHTS);
  pair[victim] = await startAgain(site, agent);
}

async function startAgain({ stack, folder }: TwoAgents, { id, stateDir }: RunningAgent): Promise<RunningAgent> {
  const agent = { id, stateDir, ...runAgent(stateDir, join(folder, `logs/${id}.log`)) };
  await Promise.race([stack.relay.listening(`a-${id}`), agent.ended]);
  return agent;
}
