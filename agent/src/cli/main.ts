#!/usr/bin/env node
/** The command line `sallyport`. */
import { Command, CommanderError } from "commander";
import { EXIT } from "./exit.ts";
import { fail } from "./print.ts";
import { refuseCodeOnCommandLine } from "./refuse-code.ts";

type Add = (program: Command) => void;

/** Loaded for its own verb only: `run` stays for months, and `ready` is asked every half minute. */
const VERBS: Readonly<Record<string, () => Promise<Add>>> = {
  enroll: async () => (await import("./enroll.ts")).addEnroll,
  run: async () => (await import("./run.ts")).addRun,
  status: async () => (await import("./status.ts")).addStatus,
  ready: async () => (await import("./ready.ts")).addReady,
  policy: async () => (await import("./policy.ts")).addPolicy,
  journal: async () => (await import("./journal.ts")).addJournal,
  version: async () => (await import("./version.ts")).addVersion,
};

const program = new Command("sallyport")
  .description("Sallyport's agent: answers data requests from the cloud, within what its owner's policy allows.")
  .addHelpText(
    "after",
    "\nStart here:\n  sallyport enroll --origin https://…\n  sallyport policy check\n  sallyport run",
  )
  .exitOverride();
const asked = process.argv[2] ?? "";
// Help, and whatever is none of them, needs to know all.
const verbs = Object.hasOwn(VERBS, asked) ? [VERBS[asked]!] : Object.values(VERBS);
for (const load of verbs) (await load())(program);
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
