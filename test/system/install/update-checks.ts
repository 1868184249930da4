/**
 * Updates of an installed package: a next version, one that never works, an updater that is killed in the middle. The orchestrator is the
 * world's, the commands are root's, the agent is its account's, and what the updater may do is what its unit leaves it.
 */
import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "@sallyport/agent/src/version.ts";
import type { AgentView } from "@sallyport/shared/schema/api-views.ts";
import { TENANT } from "../../stack/start.ts";
import { until } from "../processes.ts";
import type { Check } from "../suite.ts";
import type { World } from "../world.ts";
import type { Enrolled } from "./agent.ts";
import { isPowerless } from "./confinement.ts";
import { type Machine, SERVICE } from "./machine.ts";
import { publishNext } from "./next-version.ts";
import type { Release } from "./releases.ts";
import { requireProgramOfRoot, requireRightsOfPage } from "./rights.ts";
import { killUpdaterAt } from "./updater-kill.ts";

/** Newer than the release itself, and each than the one before. */
const numbered = (more: number): string => VERSION.replace(/\d$/, (last) => `${Number(last) + more}`);
const [NEXT, BROKEN, AFTER] = [numbered(1), numbered(2), numbered(3)];
/** It starts, does not end, and never becomes healthy. */
const SLEEPS = "#!/usr/bin/env node\nsetInterval(() => {}, 60_000);\n";

/** The updater waits for two minutes. */
const STARTED_WITHIN_MS = 300_000;

interface Last {
  readonly version: string;
  readonly from: string;
  readonly outcome: string;
  readonly why: string | null;
}

export interface Updated {
  readonly machine: Machine;
  readonly release: Release;
  readonly enrolled: Enrolled;
}

export async function checkUpdates(
  check: Check,
  { stack, folder, pull }: World,
  { machine, release, enrolled: { site, agent } }: Updated,
): Promise<void> {
  const inRoot = (path: string): string => join(machine.root.folder, path);
  const sallyport = (...args: string[]): Promise<string> => machine.run({ args: ["/usr/bin/sallyport", ...args] });
  const told = async <T>(...args: string[]): Promise<T> => JSON.parse(await sallyport(...args, "--json")) as T;
  const publish = (version: string, main?: string) => publishNext(stack, release, folder, version, main);
  const viewed = async (): Promise<AgentView> => {
    const all = await stack.api.get<AgentView[]>(`/tenants/${TENANT}/sites/${site}/agents`);
    return all.find(({ id }) => id === agent) ?? assert.fail("the agent is not listed");
  };
  const runs = (version: string) =>
    until(
      `version ${version} runs`,
      async () =>
        readlinkSync(inRoot("opt/sallyport/current")) === `versions/${version}` && (await machine.processOf(SERVICE)),
      STARTED_WITHIN_MS,
    );
  /** The version is the one that runs, by the agent's account, and serves. */
  const requireServing = async (version: string): Promise<void> => {
    assert.equal(readlinkSync(inRoot("opt/sallyport/current")), `versions/${version}`);
    await stack.relay.listening(`a-${agent}`);
    await pull(site);
    assert.equal((await viewed()).version, version);
    await isPowerless((await machine.processOf(SERVICE))!);
  };

  await check(
    "a next version is offered, applied by root's command, and proven by the orchestrator's canary",
    async () => {
      await publish(NEXT);
      assert.equal((await told<{ newest: string }>("update", "check")).newest, NEXT);
      const before = await machine.processOf(SERVICE);
      const last = await told<Last>("update", "apply");
      assert.deepEqual([last.version, last.from, last.outcome, last.why], [NEXT, VERSION, "applied", null]);
      assert.notEqual(await machine.processOf(SERVICE), before);
      await requireServing(NEXT);
    },
  );
  await check(
    "afterwards each file has the owner and the rights that the page says, and the program is root's",
    async () => {
      requireRightsOfPage(machine.root);
      requireProgramOfRoot(machine.root, "opt/sallyport");
      assert.deepEqual((await told<{ faults: string[] }>("service", "status")).faults, []);
      const said = await told<{ installed: string; previous: string; last: Last }>("update", "status");
      assert.deepEqual([said.installed, said.previous, said.last.outcome], [NEXT, VERSION, "applied"]);
    },
  );
  await check(
    "a version that starts and never becomes healthy: the good one runs again by itself, and is pulled from",
    async () => {
      await publish(BROKEN, SLEEPS);
      const applied = sallyport("update", "apply", "--json");
      const ended = assert.rejects(applied, /ended with 1: [\s\S]*"outcome": ?"rolledBack"/);
      await Promise.all([
        ended,
        runs(BROKEN)
          .then(() => runs(NEXT))
          .then(() => requireServing(NEXT)),
      ]);
      const said = await told<{ last: Last; failed: string[]; kept: string[] }>("update", "status");
      assert.deepEqual([said.last.version, said.last.outcome, said.failed], [BROKEN, "rolledBack", [BROKEN]]);
      assert.equal(said.last.why, "it did not start");
      assert.deepEqual(said.kept, [VERSION, NEXT]);
    },
  );
  await check("the updater killed in the middle, and the machine started again: it ends what it began", async () => {
    await publish(AFTER);
    await killUpdaterAt(machine, `start --no-block ${SERVICE}`);
    await assert.rejects(sallyport("update", "apply", "--version", AFTER), /the updater did not answer/);
    assert.equal(await machine.processOf(SERVICE), undefined);
    const { under } = await told<{ under: { from: string; to: string } }>("update", "status");
    assert.deepEqual([under.from, under.to], [NEXT, AFTER]);
    await machine.restart();
    await requireServing(AFTER);
    const { last, ...said } = await told<{ under: null; last: Last; kept: string[] }>("update", "status");
    assert.deepEqual([last.version, last.outcome, said.under, said.kept], [AFTER, "applied", null, [NEXT, AFTER]]);
    requireRightsOfPage(machine.root);
    requireProgramOfRoot(machine.root, "opt/sallyport");
    const own = readdirSync(inRoot("opt/sallyport/update"));
    assert.deepEqual(own, ["record.json"]);
  });
}
