/** Puts an agent that writes CPU profiles in the place of the site's own. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startChild } from "../../stack/children.ts";
import { unconfined } from "../../stack/unconfined/environment.ts";
import type { Site } from "../site.ts";

const SALLYPORT = fileURLToPath(new URL("../../../agent/src/cli/main.ts", import.meta.url));

/** Flags for a process of ours to write its profile into `folder/<name>` when it ends. */
export function profileFlags(folder: string, name: string): string[] {
  mkdirSync(join(folder, name), { recursive: true });
  return ["--cpu-prof", `--cpu-prof-dir=${join(folder, name)}`];
}

/** Resolves when it listens. Its executors are not confined: for measuring only. */
export async function startProfiledAgent(site: Site, folder: string): Promise<Site> {
  await site.agent.close();
  const config = join(site.agent.stateDir, "agent.yaml");
  const { flags, environment } = unconfined(profileFlags(folder, "executor"));
  const child = startChild({
    name: "agent",
    args: [
      ...profileFlags(folder, "supervisor"),
      ...flags,
      ...[SALLYPORT, "run", "--config", config, "--insecure-files"],
    ],
    env: environment,
    logFile: join(site.folder, "logs", "agent.log"),
  });
  site.cleanup.add(child, (it) => it.close());
  await Promise.race([site.relay.listening(`a-${site.agent.id}`), child.ended]);
  return { ...site, watched: { ...site.watched, supervisor: child.process.pid! } };
}
