/** What V8 makes of the executor's script, kept beside it, so that no executor has to parse and compile it anew. */
import { spawn } from "node:child_process";
import { once } from "node:events";

const PRELOAD = new URL("./code-cache-preload.ts", import.meta.url).href;

/**
 * Starts the executor once, until it has loaded all that it needs, and adds the cache for this Node. Its bytes are not the
 * same each time.
 * @throws Error where the executor ends otherwise.
 */
export async function addCodeCache(executor: string): Promise<void> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", "--no-experimental-sqlite", `--import=${PRELOAD}`, executor],
    // An executor's only way out is the pipe to its supervisor (agent/src/pipe/lines.ts).
    { env: {}, stdio: ["ignore", "ignore", "pipe", "pipe"] },
  );
  let said = "";
  child.stderr?.on("data", (chunk) => {
    said += chunk;
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`The executor ended with ${code} when its code was to be kept. ${said}`);
}
