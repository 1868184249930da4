/** `sallyport update apply` and `rollback`: the owner's command, written where only administrators can, and the updater's answer. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { ConfigError } from "../config-error.ts";
import { asOwnerDuring } from "../regular-file.ts";
import { decide, newestOf, REASONS } from "../update/decide.ts";
import type { UpdatePlaces } from "../update/places.ts";
import { readRecord, type StoredWish, writeWish } from "../update/record.ts";
import { startUpdater } from "../update/service.ts";
import { stage } from "../update/stage.ts";
import { EXIT } from "./exit.ts";
import { print } from "./print.ts";
import { askFor, platformOf, readInstallation, requirePlaces, requireWritable } from "./update-check.ts";
import type { ApplyOptions, UpdateOptions } from "./update-options.ts";

export async function apply(options: ApplyOptions): Promise<void> {
  const installation = readInstallation(options);
  const { places, facts } = installation;
  requireWritable(places);
  const { signal } = new AbortController();
  const { deps, offered } = await askFor(installation, signal);
  const { version } = options;
  const release =
    version === undefined
      ? newestOf(offered.releases, facts)
      : offered.releases.find(({ manifest }) => manifest.version === version);
  if (release === undefined) {
    const left = offered.refused.length === 0 ? "" : ` Not believed: ${offered.refused.join("; ")}.`;
    if (version !== undefined)
      throw new SallyportError("update.refused", `There is no release ${version} for this agent.${left}`);
    if (left !== "") throw new SallyportError("update.refused", `There is nothing newer.${left}`);
    print(options, { installed: facts.installed, outcome: null }, [
      `Nothing newer for this agent: ${facts.installed} runs.`,
    ]);
    return;
  }
  const wish = { version: release.manifest.version, downgrade: options.downgrade === true };
  const verdict = decide(release, facts, wish);
  if (!verdict.ok)
    throw new SallyportError("update.refused", `Release ${wish.version} is not applied: ${REASONS[verdict.why]}.`);
  // Into the agent's folder with the agent's rights, as it would itself.
  await asOwnerDuring(places.state.keys, () =>
    stage({ ...deps, places, offsetMs: offered.offsetMs }, release, facts.platform, signal),
  );
  await carryOut(options, places, { v: 1, do: "apply", ...wish, at: new Date().toISOString() });
}

export async function rollback(options: UpdateOptions): Promise<void> {
  const places = requirePlaces(options.state);
  requireWritable(places);
  const { previous } = readRecord(places);
  if (previous === null || previous === platformOf(places).versionOf(places.current))
    throw new SallyportError("update.refused", "There is no version before this one here: none was ever updated.");
  await carryOut(options, places, { v: 1, do: "rollback", version: previous, at: new Date().toISOString() });
}

async function carryOut(options: UpdateOptions, places: UpdatePlaces, wish: StoredWish): Promise<void> {
  writeWish(places, wish);
  // A unit that ends with a failure says no more than the record does.
  const problem = await startUpdater().then(
    () => undefined,
    (error: Error) => error.message,
  );
  const { last } = readRecord(places);
  if (last?.wish !== wish.at)
    throw new ConfigError(`the updater did not answer${problem === undefined ? "" : `: ${problem}`}`);
  if (last.outcome === "refused")
    throw new SallyportError("update.refused", `Version ${last.version} was not applied: ${last.why}.`);
  if (last.outcome !== "applied") process.exitCode = EXIT.no;
  print(options, last, [
    last.outcome === "applied"
      ? `Version ${last.version} runs, and has answered the orchestrator; ${last.from} stays for \`sallyport update rollback\`.`
      : `Version ${last.version} did not work (${last.why}): ${last.from} runs again.`,
  ]);
}
