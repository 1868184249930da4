/** Whether this program lies in an installation that can be updated, and where that is. */
import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { layoutIn } from "../install/layout.ts";
import { type UpdatePlaces, updatePlaces } from "./places.ts";
import { windowsPlaces } from "./windows/places.ts";

/**
 * The places of the installation that this program was started from; undefined for sources, a container or Linux' single executable,
 * which are replaced by whatever put them there.
 * @param state the agent's folder @param program the folder that this module's bundle lies in
 */
export function installedPlaces(state: string, program: string = import.meta.dirname): UpdatePlaces | undefined {
  if (process.platform === "win32") return windowsPlaces(resolve(state), realpathSync(program));
  const app = realpathSync(program);
  const layout = layoutIn(resolve(app, "../../../../.."));
  const isThere = basename(app) === "app" && dirname(dirname(app)) === realpathIfAny(layout.versions);
  return isThere ? updatePlaces({ ...layout, state: resolve(state) }) : undefined;
}

function realpathIfAny(path: string): string | undefined {
  try {
    return realpathSync(join(path));
  } catch {
    return undefined;
  }
}
