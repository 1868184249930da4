#!/usr/bin/env node
/** The command line `sallyportctl`: what the platform team does with the orchestrator's API. */
import { CommanderError } from "commander";
import { EXIT, usageError } from "./exit.ts";
import { fail } from "./print.ts";
import { createProgram } from "./program.ts";
import { refuseSecrets } from "./secret.ts";
import { environment } from "./settings.ts";

// Whoever reads us may stop reading, as `head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

const args = process.argv.slice(2);
try {
  refuseSecrets(args, environment.SALLYPORT_API_KEY);
  await createProgram().parseAsync();
} catch (error) {
  // Help is an end of the parser's too: with 0 where it was asked for.
  if (!(error instanceof CommanderError)) fail(error, args.includes("--json"));
  else if (error.exitCode === 0) process.exitCode = EXIT.ok;
  else if (error.code === "commander.help") process.exitCode = EXIT.usage;
  else fail(usageError(error.message), args.includes("--json"));
}
