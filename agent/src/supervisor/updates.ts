/** Updates, of an agent that was installed as one that can be updated; of any other nothing of it is loaded. */
import type { UpdateWatch, WatchDeps } from "../update/watch.ts";

export async function openUpdateWatch(
  deps: Omit<WatchDeps, "places" | "platform" | "wake" | "releaseKeys">,
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
  const ofWindows = process.platform === "win32" ? await import("../update/windows/agent.ts") : undefined;
  return createUpdateWatch({ ...deps, ...ofWindows?.windowsAgent(), places, releaseKeys: RELEASE_KEYS });
}
