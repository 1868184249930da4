/**
 * The crash table: runs of a pull whose table changes meanwhile, with processes killed at every step, and the rows counted
 * afterwards. No fault stands in the product's code: proxies before storage, queue and relay decide when somebody dies.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildAgent } from "../../build/agent.ts";
import { buildCloud } from "../../build/cloud.ts";
import { type Cleanup, createCleanup } from "../../stack/cleanup.ts";
import { bundledAt, type Program } from "../../stack/program.ts";
import { until } from "../processes.ts";
import type { Check, Suite, SuiteOptions } from "../suite.ts";
import { CASES, type Case, nameOf, SCHEDULED_CASES } from "./cases.ts";
import { checkCounter } from "./counter-examples.ts";
import { setCase } from "./crash.ts";
import { type DrawnKill, drawKills, suffer } from "./drawn.ts";
import { keepTicking, quiet, runOnce, STUCK_MS } from "./drive.ts";
import type { Host } from "./host.ts";
import { type Lane, type LaneOptions, startLane } from "./lane.ts";
import { seeded } from "./random.ts";
import { checkPair, createReplies, PAUSES } from "./two-hosts.ts";
import { assertClean, judge, type Verdict } from "./verdict.ts";

const DEFAULT_KILLS = 200;
/** Lanes that share the designed and the drawn crashes; each mostly waits for a lease. */
const LANES = 5;
const STEP_WITHIN_MS = 60_000;
/** Kills between two lines that say how far it is. */
const REPORT_EVERY = 25;

export const crash: Suite = {
  name: "crash",
  about: "every process killed at every step of a run, by design and at random; lost and repeated rows counted",
  async run(check, options = {}) {
    const cleanup = createCleanup();
    const folder = mkdtempSync(join(tmpdir(), "sallyport-crash-"));
    const { TMPDIR } = process.env;
    process.env.TMPDIR = join(folder, "tmp");
    mkdirSync(process.env.TMPDIR);
    let failed = false;
    const noting: Check = async (name, act) => {
      const passed = await check(name, act);
      failed ||= !passed;
      return passed;
    };
    try {
      await crashAll(noting, options, folder, cleanup);
    } catch (thrown) {
      failed = true;
      throw thrown;
    } finally {
      await cleanup.run();
      if (TMPDIR === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = TMPDIR;
      if (failed) console.log(`          what the processes wrote is in ${folder}`);
      else rmSync(folder, { recursive: true, force: true });
    }
  },
};

interface Work {
  readonly check: Check;
  readonly seed: number;
  readonly kills: readonly DrawnKill[];
  readonly program: Program;
  readonly folder: string;
  readonly cleanup: Cleanup;
}

async function crashAll(check: Check, options: SuiteOptions, folder: string, cleanup: Cleanup): Promise<void> {
  const seed = options.seed ?? randomBytes(4).readUInt32BE();
  const kills = drawKills(seed, options.kills ?? DEFAULT_KILLS);
  console.log(`  seed ${seed}: --seed ${seed} draws the same ${kills.length} kills`);
  // Bundles of our own: they start quickly, and no change of the sources meanwhile is in them.
  const program = bundledAt(join(folder, "agent"), join(folder, "app"));
  await Promise.all([buildAgent(join(folder, "agent")), buildCloud(join(folder, "app"))]);
  const work: Work = { check, seed, kills, program, folder, cleanup };
  const waiting = [...CASES];
  let struck = 0;
  const onKill = () => {
    struck += 1;
    if (struck % REPORT_EVERY === 0) console.log(`          ${struck} of ${kills.length} drawn kills`);
  };
  const lanes = Array.from({ length: LANES }, (_, number) => suffering(work, number, waiting, onKill));
  const verdicts = await Promise.all([...lanes, scheduled(work), paired(work)]);

  await check("no row is lost, repeated or strange; no run is stuck; no manifest and no part is missing", () => {
    for (const verdict of verdicts) assertClean(verdict);
  });
  await checkCounter(check, verdicts[0]!);
  const sum = (of: (verdict: Verdict) => number) => verdicts.reduce((total, verdict) => total + of(verdict), 0);
  const [rows, lost, repeated] = [sum((it) => it.rows), sum((it) => it.lost.length), sum((it) => it.repeated.length)];
  const cases = CASES.length + SCHEDULED_CASES.length + PAUSES.length;
  console.log(`          runs: ${JSON.stringify(statesOf(verdicts))}`);
  console.log(`crash: cases=${cases} kills=${struck} rows=${rows} lost=${lost} repeated=${repeated}`);
}

function statesOf(verdicts: readonly Verdict[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const [state, runs] of verdicts.flatMap(({ states }) => Object.entries(states))) {
    total[state] = (total[state] ?? 0) + runs;
  }
  return total;
}

/** A lane while its table changes; then one more run when nothing changes any more, and the count. */
async function onLane(
  { check, seed, program, folder, cleanup }: Work,
  number: number,
  options: Pick<LaneOptions, "cron" | "onReply">,
  act: (lane: Lane, alsoTick: (host: Host) => void) => Promise<void>,
): Promise<Verdict> {
  const name = `lane-${number}`;
  const lane = await startLane({ name, folder, cleanup, program, random: seeded(seed + number), ...options });
  const ticking = [keepTicking(lane.host)];
  const stopChanging = lane.orders.keepChanging();
  await act(lane, (host) => void ticking.push(keepTicking(host))).finally(stopChanging);
  lane.host.gate.clear();
  await check(`${name}: a last run, when nothing changes any more`, async () => {
    await quiet(lane);
    await runOnce(lane);
  });
  await Promise.all(ticking.map((stop) => stop()));
  return judge(lane);
}

const suffering = (work: Work, number: number, waiting: Case[], onKill: () => void): Promise<Verdict> =>
  onLane(work, number, {}, async (lane) => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await sufferCase(work.check, lane, next);
    const its = work.kills.filter((_, index) => index % LANES === number);
    await work.check(`${lane.name}: ${its.length} drawn kills, and every run ends`, async () => {
      await suffer(lane, its, work.seed + number, onKill);
    });
  });

/** One designed case: the trap, a run that steps into it, and everything well at its end. */
async function sufferCase(check: Check, lane: Lane, designed: Case): Promise<void> {
  await check(nameOf(designed), async () => {
    await lane.host.up();
    await quiet(lane);
    const sprung = setCase(lane, designed);
    await runOnce(lane, { slow: designed.slow ?? false });
    // Some steps follow the run's end.
    await until("the run comes to that step", () => !lane.host.gate.isSet, STEP_WITHIN_MS).finally(
      lane.host.gate.clear,
    );
    await sprung;
  });
}

/** Runs that the scheduler starts each minute: nobody asks a second time. */
const scheduled = (work: Work): Promise<Verdict> =>
  onLane(work, LANES, { cron: "* * * * *" }, async (lane) => {
    for (const designed of SCHEDULED_CASES) {
      await work.check(`${nameOf(designed)} of a scheduled run`, async () => {
        await lane.host.up();
        await setCase(lane, designed);
        const struckMs = Date.now();
        await until(
          "a run that was due is published",
          async () => {
            const [last] = await lane.store.runs.runs(lane.key, 1);
            return last?.run.value.state === "published" && Date.parse(last.run.value.endedAt ?? "") > struckMs;
          },
          STUCK_MS,
        );
        await quiet(lane);
      });
    }
  });

const paired = (work: Work): Promise<Verdict> => {
  const [first, second] = [createReplies(), createReplies()];
  return onLane(work, LANES + 1, { onReply: first.onReply }, async (lane, alsoTick) => {
    const other = await lane.addHost(second.onReply);
    alsoTick(other);
    const hosts = [
      { host: lane.host, replies: first.all },
      { host: other, replies: second.all },
    ];
    await checkPair(work.check, { lane, hosts });
  });
};
