/** Updates, of an agent that was installed as one that can be updated; of any other nothing of it is loaded. */
import type { UpdateWatch, WatchDeps } from "../update/watch.ts";

export async function openUpdateWatch(
  deps: Omit<WatchDeps, "places" | "releaseKeys">,
): Promise<UpdateWatch | undefined> {
  const { installedPlaces } = await import("../update/installed.ts");
  const places = installedPlaces(deps.config.stateDir);
  if (places === undefined) return undefined;
  const [{ createUpdateWatch }, { RELEASE_KEYS }] = await Promise.all([
    import("../update/watch.ts"),
    import("../update/release-keys.ts"),
  ]);
  // One that knows no publisher would ask and believe nothing.
  if (RELEASE_KEYS.length === 0) return undefined;
  return createUpdateWatch({ ...deps, places, releaseKeys: RELEASE_KEYS });
}
