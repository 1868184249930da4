/**
 * The crash table: runs of a pull whose table changes meanwhile, with processes killed at every step, and the rows counted
 * afterwards. No fault stands in the product's code: proxies before storage, queue and relay decide when somebody dies.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Cleanup, createCleanup } from "../../stack/cleanup.ts";
import type { Check, Suite, SuiteOptions } from "../suite.ts";
import { CASES, type Case, nameOf } from "./cases.ts";
import { setCase } from "./crash.ts";
import { drawKills, suffer } from "./drawn.ts";
import { keepTicking, quiet, runOnce } from "./drive.ts";
import { type Lane, startLane } from "./lane.ts";
import { seeded } from "./random.ts";
import { assertClean, judge, type Verdict } from "./verdict.ts";

const DEFAULT_KILLS = 200;
const LANES = 6;
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
    try {
      await crashAll(check, options, folder, cleanup);
    } finally {
      await cleanup.run();
      if (TMPDIR === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = TMPDIR;
      if (process.env.SALLYPORT_KEEP_LOGS === undefined) rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function crashAll(check: Check, options: SuiteOptions, folder: string, cleanup: Cleanup): Promise<void> {
  const seed = options.seed ?? randomBytes(4).readUInt32BE();
  const kills = drawKills(seed, options.kills ?? DEFAULT_KILLS);
  console.log(`  seed ${seed}: --seed ${seed} draws the same ${kills.length} kills`);
  const waiting = [...CASES];
  let struck = 0;
  const onKill = () => {
    struck += 1;
    if (struck % REPORT_EVERY === 0) console.log(`          ${struck} of ${kills.length} drawn kills`);
  };

  async function work(number: number): Promise<Verdict> {
    const name = `lane-${number}`;
    const lane = await startLane({ name, folder, cleanup, random: seeded(seed + number) });
    const stopTicking = keepTicking(() => [lane.host]);
    const stopChanging = lane.orders.keepChanging();
    try {
      for (let next = waiting.shift(); next; next = waiting.shift()) await suffers(check, lane, next);
      const its = kills.filter((_, index) => index % LANES === number);
      await check(`${name}: ${its.length} drawn kills, and every run ends`, async () => {
        await suffer(lane, its, seed + number, onKill);
      });
    } finally {
      await stopChanging();
      lane.host.gate.clear();
    }
    await check(`${name}: a last run, when nothing changes any more`, async () => void (await runOnce(lane)));
    await stopTicking();
    return judge(lane);
  }

  const verdicts = await Promise.all(Array.from({ length: LANES }, (_, number) => work(number)));
  await check("no row is lost, repeated or strange; no run is stuck; no manifest and no part is missing", () => {
    for (const verdict of verdicts) assertClean(verdict);
  });
  const sum = (of: (verdict: Verdict) => number) => verdicts.reduce((total, verdict) => total + of(verdict), 0);
  console.log(`          runs by their ends: ${verdicts.map(({ states }) => JSON.stringify(states)).join(" ")}`);
  console.log(
    `crash: cases=${CASES.length} kills=${struck} rows=${sum(({ rows }) => rows)} lost=${sum(({ lost }) => lost.length)} repeated=${sum(({ repeated }) => repeated.length)}`,
  );
}

/** One designed case: the trap, a run that steps into it, and everything well at its end. */
async function suffers(check: Check, lane: Lane, designed: Case): Promise<void> {
  await check(nameOf(designed), async () => {
    await lane.host.up();
    await quiet(lane);
    let sprung = false;
    void setCase(lane, designed).then(() => {
      sprung = true;
    });
    await runOnce(lane, { slow: designed.slow ?? false });
    lane.host.gate.clear();
    assert.ok(sprung, "the run never came to that step");
  });
}
