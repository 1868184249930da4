/** `sallyport update status`: this installation's own files, and nobody asked. */
import { readdirSync } from "node:fs";
import { compareVersions, version as versionText } from "@sallyport/shared/release/version.ts";
import { readPin, readRecord } from "../update/record.ts";
import { print } from "./print.ts";
import { platformOf, requirePlaces } from "./update-check.ts";
import type { UpdateOptions } from "./update-options.ts";

export function status(options: UpdateOptions): void {
  const places = requirePlaces(options.state);
  const { under, last, previous, failed } = readRecord(places);
  const installed = platformOf(places).versionOf(places.current) ?? null;
  const pinned = readPin(places) ?? null;
  const kept = readdirSync(places.versions)
    .filter((name) => versionText.safeParse(name).success)
    .sort(compareVersions);
  print(options, { installed, previous, pinned, kept, under, last, failed }, [
    `Installed     ${installed ?? `no version: ${POINTER} is broken`}`,
    `Before        ${previous ?? "-"}`,
    `Pinned        ${pinned ?? "no"}`,
    `On the disk   ${kept.join(", ")}`,
    ...(under === null ? [] : [`Under way     ${under.from} to ${under.to}: ${under.step}`]),
    last === null
      ? "Last update   none"
      : `Last update   ${last.version} ${last.outcome === null ? "ended as a newer version knows" : SAYS[last.outcome]}, ${last.at}${last.why === null ? "" : `: ${last.why}`}`,
    ...(failed.length === 0 ? [] : [`Failed here   ${failed.join(", ")}`]),
  ]);
}

const POINTER = process.platform === "win32" ? "the command of the service Sallyport" : "the link `current`";

const SAYS = { applied: "applied", rolledBack: "did not work and was taken back", refused: "refused" } as const;
