#!/usr/bin/env node
/** The command line `sallyport`. */
import { Command, CommanderError } from "commander";
import { addEnroll, refuseCodeOnCommandLine } from "./enroll.ts";
import { EXIT } from "./exit.ts";
import { addJournal } from "./journal.ts";
import { addPolicy } from "./policy.ts";
import { fail } from "./print.ts";
import { addReady } from "./ready.ts";
import { addRun } from "./run.ts";
import { addStatus } from "./status.ts";
import { addVersion } from "./version.ts";

const program = new Command("sallyport")
  .description("Sallyport's agent: answers data requests from the cloud, within what its owner's policy allows.")
  .addHelpText(
    "after",
    "\nStart here:\n  sallyport enroll --origin https://…\n  sallyport policy check\n  sallyport run",
  )
  .exitOverride();
for (const add of [addEnroll, addRun, addStatus, addReady, addPolicy, addJournal, addVersion]) add(program);
for (const command of program.commands) {
  command.exitOverride();
  for (const inner of command.commands) inner.exitOverride();
}

try {
  refuseCodeOnCommandLine(process.argv.slice(2));
  await program.parseAsync();
} catch (error) {
  // Help and the like exit 0; every other word of the parser is about usage, and it has said it already.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage;
  else fail(error, {});
}
