/** The service manager, as an update needs it. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { UNIT } from "../install/layout.ts";

export interface Service {
  /** Lets the agent drain and end; returns when it has. Nothing to do is no error. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export const UPDATE_UNIT = "sallyport-update.service";

const run = promisify(execFile);
/** A stop waits for the drain, which its owner may have set to an hour. */
const TIMEOUT_MS = 3_900_000;

/** @throws Error with what systemctl says */
async function systemctl(...words: readonly string[]): Promise<void> {
  try {
    await run("systemctl", ["--no-ask-password", ...words], { timeout: TIMEOUT_MS });
  } catch (error) {
    const said = String((error as { stderr?: unknown }).stderr ?? "").trim();
    throw new Error(`systemctl ${words.join(" ")} failed: ${said || (error as Error).message}`);
  }
}

/** Stopping sends SIGTERM, which is how an agent is told to drain (docs/stopping.md). */
export const systemdService: Service = {
  stop: () => systemctl("stop", UNIT),
  async start() {
    // A version that failed often just before must not keep the good one from starting.
    await systemctl("reset-failed", UNIT).catch(() => {});
    await systemctl("start", "--no-block", UNIT);
  },
};

/** Starts the updater, and returns when it has ended: its unit is a oneshot. @throws Error */
export async function startUpdater(): Promise<void> {
  if (process.platform !== "win32") return await systemctl("start", UPDATE_UNIT);
  const { startAndAwait } = await import("./windows/start.ts");
  await startAndAwait(TIMEOUT_MS);
}
