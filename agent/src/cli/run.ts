/** `sallyport run`: the agent itself, in the foreground; what a service starts. */
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { type AgentConfig, defaultStateDir, loadConfig, refuseEnvironment } from "../config.ts";
import { ConfigError } from "../config-error.ts";
import { statePaths } from "../state.ts";
import { EXIT, UsageError } from "./exit.ts";
import { whenInputEnds } from "./input-end.ts";
import { cleanAfterStart } from "./own-process.ts";
import { fail } from "./print.ts";

interface RunOptions {
  readonly state?: string;
  readonly config?: string;
  readonly insecureFiles?: boolean;
  readonly untilInputEnds?: boolean;
}

export function addRun(program: Command): void {
  program
    .command("run")
    .description("run the agent in the foreground until SIGTERM or Ctrl-C, then drain")
    .option("--state <dir>", `the agent's folder (default: "${defaultStateDir()}")`)
    .option("--config <file>", "agent.yaml, where it does not lie in the agent's folder")
    .option(
      "--insecure-files",
      "start although this account can change its own policy or program (demonstrations only)",
    )
    // For a service host on Windows, which knows no SIGTERM.
    .addOption(new Option("--until-input-ends").hideHelp())
    .addHelpText(
      "after",
      `
Logs are JSON lines on the standard error. The state is in run/status.json: see \`sallyport status\`.
It refuses to start with NODE_OPTIONS, NODE_DEBUG or NODE_TLS_REJECT_UNAUTHORIZED set.
It ends with 0 when it was asked to stop. With 75 whatever keeps it running should start it again: nothing that the orchestrator
sends has arrived for six of its canaries, or it cannot start just now, because the disk is full, another agent runs on this
folder, or the clock is not set yet.

Example:
  sallyport run
  sallyport run --state /var/lib/sallyport`,
    )
    .action(async (options: RunOptions) => {
      try {
        await run(options);
      } catch (error) {
        fail(error, {});
        // What was opened before it failed would keep a process that does nothing, and nobody would start it again.
        process.exit();
      }
    });
}

async function run(options: RunOptions): Promise<void> {
  refuseEnvironment(process.env);
  const credentials = process.env.CREDENTIALS_DIRECTORY;
  const config = configOf(options);
  // Only this verb needs the supervisor, and loading it takes a while.
  const [{ runAgent }, { openLog }] = await Promise.all([import("../supervisor/main.ts"), import("./own-log.ts")]);
  // The relay's library is of Node 6's time: what it calls is deprecated and works, and no reader of the log can change it.
  process.noDeprecation = true;
  const log = openLog();
  cleanAfterStart();
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    // A second one does not wait for the drain: executors end with this process.
    if (stop.signal.aborted) process.exit(130);
    log.info({ signal }, "asked to stop");
    stop.abort();
  };
  if (options.untilInputEnds) {
    whenInputEnds(process.stdin, () => {
      log.info("asked to stop by the end of the input");
      stop.abort();
    });
  }
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  const why = await runAgent({ config, insecureFiles: options.insecureFiles === true, credentials, log }, stop.signal);
  // A socket of a library that lingers must not keep a stopped agent.
  process.exit(why === "unreached" ? EXIT.tryAgain : EXIT.ok);
}

/** @throws UsageError, ConfigError */
function configOf({ state, config: file }: RunOptions): AgentConfig {
  if (file !== undefined && state !== undefined) throw new UsageError("give --state or --config, not both");
  if (file !== undefined) return loadConfig(file);
  const paths = statePaths(resolve(state ?? defaultStateDir()));
  const config = loadConfig(paths.config);
  if (resolve(config.stateDir) === paths.root) return config;
  // The other verbs would look into one folder, and this one write into another.
  throw new ConfigError(
    `${paths.config} says \`stateDir: ${config.stateDir}\`, which is another folder: start with --state ${config.stateDir}, ` +
      "or mend that line",
  );
}
