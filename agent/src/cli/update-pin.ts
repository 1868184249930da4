/** `sallyport update pin`: the version that the owner holds, in a folder that only administrators write. */
import { version as versionText } from "@sallyport/shared/release/version.ts";
import { writePin } from "../update/record.ts";
import { UsageError } from "./exit.ts";
import { print } from "./print.ts";
import { platformOf, requirePlaces, requireWritable } from "./update-check.ts";
import type { PinOptions } from "./update-options.ts";

export function pin(version: string | undefined, options: PinOptions): void {
  if (options.off === true && version !== undefined) throw new UsageError("give a version or --off, not both");
  const places = requirePlaces(options.state);
  requireWritable(places);
  const installed = platformOf(places).versionOf(places.current);
  const wanted = options.off === true ? undefined : (version ?? installed);
  if (wanted !== undefined && !versionText.safeParse(wanted).success)
    throw new UsageError(`${wanted} is no version: write it as 1.2.3`);
  writePin(places, wanted, new Date());
  print(options, { installed: installed ?? null, pinned: wanted ?? null }, [
    wanted === undefined
      ? "No version is pinned: policy.yaml `updates` says what happens."
      : `Pinned        ${wanted}${wanted === installed ? "" : `, which does not run here: \`sallyport update apply --version ${wanted}\``}`,
  ]);
}
