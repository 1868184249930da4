#!/usr/bin/env node
/** The command line `sallyportctl`: what the platform team does with the orchestrator's API. */
import { CommanderError } from "commander";
import { EXIT } from "./exit.ts";
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
  // Help and the like exit 0; every other word of the parser is about usage, and it has said it already.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  else fail(error, args.includes("--json"));
}
