/** Faults planted at each place of the running stack, and what must hold after each one (docs/security/claims.md, 5, 7 and 10). */
import assert from "node:assert/strict";
import { sallyport } from "../../stack/agent.ts";
import { createCleanup } from "../../stack/cleanup.ts";
import type { Check, Suite } from "../suite.ts";
import { expectedOf, type FaultCase, RELAY_CASES, SOURCE_CASES, STORAGE_CASES } from "./cases.ts";
import { counterExamples } from "./counter-examples.ts";
import { observe } from "./observe.ts";
import { type Expected, type Outcome, outcomeFaults } from "./outcome.ts";
import { FOREIGN_MESSAGES, foreignMessages } from "./queue.ts";
import { FEW, type Rig, startRig } from "./rig.ts";

export const faults: Suite = {
  name: "faults",
  about:
    "faults of SQL Server, relay, queue and storage: codes, journal, rows once or not at all, and an agent that goes on",
  async run(check) {
    const cleanup = createCleanup();
    try {
      await runChecks(check, await startRig(cleanup));
    } finally {
      await cleanup.run();
    }
  },
};

async function runChecks(check: Check, rig: Rig): Promise<void> {
  await rig.definePull("next", { table: "dbo.Few" });
  const seen = new Map<FaultCase, Outcome>();
  for (const [place, cases] of Object.entries({ source: SOURCE_CASES, relay: RELAY_CASES, storage: STORAGE_CASES }))
    for (const [index, each] of cases.entries())
      await check(each.name, async () => void seen.set(each, await runCase(rig, `${place}-${index + 1}`, each)));
  await check("the queue holds what is no doorbell: a run beside it is published, and no message is lost", async () => {
    const letters = (await foreignMessages(rig)).map((body) => JSON.stringify(body));
    assert.deepEqual(letters.sort(), FOREIGN_MESSAGES);
  });
  await check("the journal's chain is whole", async () => {
    const { exitCode, stderr } = await sallyport(["journal", "verify", "--state", rig.stack.agent.stateDir]);
    assert.equal(exitCode, 0, stderr);
  });
  await counterExamples(check, rig, {
    published: exampleOf(rig, seen, ({ run }) => run.state === "published" && run.slices > 1),
    failed: exampleOf(rig, seen, ({ run }) => run.state === "failed"),
  });
}

/** One of the outcomes of this suite, with what was expected of it. @throws where no case has come to that */
function exampleOf(
  rig: Rig,
  seen: ReadonlyMap<FaultCase, Outcome>,
  fits: (seen: Outcome) => boolean,
): [Outcome, Expected] {
  for (const [each, outcome] of seen) if (fits(outcome)) return [outcome, expectedOf(each, rig)];
  throw new Error("no case came to an outcome that a counter-example can be made of");
}

/** After it the next pull is served, by the same process. */
async function runCase(rig: Rig, pull: string, each: FaultCase): Promise<Outcome> {
  const { limits, ...operation } = { table: "dbo.Numbered", ...each.read };
  await rig.definePull(pull, operation, limits === undefined ? {} : { limits });
  each.plant?.(rig);
  try {
    const seen = await observe(rig, pull, (run) => each.meanwhile?.(rig, run) ?? Promise.resolve());
    assert.deepEqual(outcomeFaults(seen, expectedOf(each, rig)), []);
    return seen;
  } finally {
    rig.tds.faults.clear();
    rig.stack.relay.faults.clear();
    rig.storage.fail(undefined);
    await next(rig);
  }
}

/** Another pull, from start to end, as if nothing had been. */
async function next(rig: Rig): Promise<void> {
  const seen = await observe(rig, "next");
  const expected = { end: "published", sessions: ["ok"], rows: FEW, secrets: [rig.mark, rig.password] } as const;
  assert.deepEqual(outcomeFaults(seen, expected), [], "the next pull");
}
