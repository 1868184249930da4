/** Where updates happen on Windows: below Program Files what only administrators change, in the agent's own folder what it brings. */
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { version } from "@sallyport/shared/release/version.ts";
import { windowsFolders } from "../../config.ts";
import { SERVICE, UPDATE_SERVICE, type WindowsLayout } from "../../install/windows/layout.ts";
import { type UpdatePlaces, updatePlaces } from "../places.ts";
import { PROGRAM } from "./command.ts";

/**
 * The places of the installation whose program lies in `folder`, `…\\versions\\1.2.3`; undefined where that is no such folder. What names
 * a version there is no link: it is the command of a service.
 */
export function windowsPlaces(
  state: string,
  folder: string,
  { configuration }: Pick<WindowsLayout, "configuration"> = windowsFolders(),
): UpdatePlaces | undefined {
  const versions = dirname(folder);
  const isOne = basename(versions) === "versions" && version.safeParse(basename(folder)).success;
  if (!isOne || !existsSync(join(folder, PROGRAM))) return undefined;
  const program = dirname(versions);
  return { ...updatePlaces({ program, versions, current: SERVICE, configuration, state }), updater: UPDATE_SERVICE };
}
