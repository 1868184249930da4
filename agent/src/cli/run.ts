/** `sallyport run`: the agent itself, in the foreground; what a service starts. */
import { join } from "node:path";
import type { Command } from "commander";
import { defaultStateDir, loadConfig, refuseEnvironment } from "../config.ts";
import { fail } from "./print.ts";

interface RunOptions {
  readonly config: string;
  readonly insecureFiles?: boolean;
}

/** Without the first an executor could send SIGUSR1 and open this process's inspector. */
const OWN_FLAGS = ["--disable-sigusr1", "--disable-warning=ExperimentalWarning"];

export function addRun(program: Command): void {
  program
    .command("run")
    .description("run the agent in the foreground until SIGTERM or Ctrl-C, then drain")
    .option("--config <file>", "agent.yaml", join(defaultStateDir(), "agent.yaml"))
    .option(
      "--insecure-files",
      "start although this account can change its own policy or program (demonstrations only)",
    )
    .addHelpText(
      "after",
      `
Logs are JSON lines on the standard error. The state is in run/status.json: see \`sallyport status\`.
It refuses to start with NODE_OPTIONS, NODE_DEBUG or NODE_TLS_REJECT_UNAUTHORIZED set.

Example:
  sallyport run --config /var/lib/sallyport/agent.yaml`,
    )
    .action(async (options: RunOptions) => {
      try {
        await run(options);
      } catch (error) {
        fail(error, {});
      }
    });
}

async function run(options: RunOptions): Promise<void> {
  refuseEnvironment(process.env);
  becomeConfined();
  const config = loadConfig(options.config);
  // Only this verb needs the supervisor, and loading it takes a while.
  const [{ runAgent }, { default: pino }] = await Promise.all([import("../supervisor/main.ts"), import("pino")]);
  const log = pino({ base: { pid: process.pid } }, pino.destination({ dest: 2, sync: true }));
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    // A second one does not wait for the drain: executors end with this process.
    if (stop.signal.aborted) process.exit(130);
    log.info({ signal }, "asked to stop");
    stop.abort();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  await runAgent({ config, insecureFiles: options.insecureFiles === true, log }, stop.signal);
  // A socket of a library that lingers must not keep a stopped agent.
  process.exit(0);
}

/** Replaces this process by itself with the flags it needs, where they were not given; same id, same files, same environment. */
function becomeConfined(): void {
  const missing = OWN_FLAGS.filter((flag) => !process.execArgv.includes(flag));
  if (!missing.includes("--disable-sigusr1") || process.platform === "win32" || process.execve === undefined) return;
  process.removeAllListeners("warning");
  process.execve(
    process.execPath,
    [process.execPath, ...missing, ...process.execArgv, ...process.argv.slice(1)],
    process.env as Record<string, string>,
  );
}
