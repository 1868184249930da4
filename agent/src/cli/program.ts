/** The command line `sallyport`: its verbs, its help, its exit codes. */
import { Command, CommanderError } from "commander";
import { EXIT, parserError } from "./exit.ts";
import { fail } from "./print.ts";
import { refuseSecrets } from "./refuse-secrets.ts";

type Add = (program: Command) => void | Promise<void>;

/** Loaded for its own verb only: `run` stays for months, and `ready` is asked every half minute. */
const VERBS: Readonly<Record<string, () => Promise<Add>>> = {
  enroll: async () => (await import("./enroll.ts")).addEnroll,
  run: async () => (await import("./run.ts")).addRun,
  status: async () => (await import("./status.ts")).addStatus,
  ready: async () => (await import("./ready.ts")).addReady,
  policy: async () => (await import("./policy.ts")).addPolicy,
  firewall: async () => (await import("./firewall.ts")).addFirewall,
  doctor: async () => (await import("./doctor.ts")).addDoctor,
  "grant-script": async () => (await import("./grant-script.ts")).addGrantScript,
  journal: async () => (await import("./journal.ts")).addJournal,
  lock: async () => (await import("./lock.ts")).addLock,
  unlock: async () => (await import("./lock.ts")).addUnlock,
  drain: async () => (await import("./lock.ts")).addDrain,
  keys: async () => (await import("./keys.ts")).addKeys,
  credential: async () => (await import("./credential.ts")).addCredential,
  "mask-key": async () => (await import("./mask-key.ts")).addMaskKey,
  service: async () => (await import("./service.ts")).addService,
  update: async () => (await import("./update.ts")).addUpdate,
  version: async () => (await import("./version.ts")).addVersion,
};

const HELP = `
Exit codes: 0 ok, 1 the answer is no, 2 and 3 see doctor, 64 usage, 65 policy invalid, 69 unreachable, 70 a fault of this program,
75 try again, 77 refused, 78 configuration

Start here:
  sallyport firewall --origin https://…   what to ask of whoever keeps the firewall
  sallyport enroll --origin https://…     with the code from the platform team
  sallyport policy check                  after each change of policy.yaml
  sallyport run                           and in another terminal: sallyport status, sallyport doctor

docs/first-hour.md goes the whole way.`;

/** @param asked the verb that is wanted; help, and whatever is none of them, needs to know all */
export async function createProgram(asked = ""): Promise<Command> {
  const program = new Command("sallyport")
    .description("Sallyport's agent: answers data requests from the cloud, within what its owner's policy allows.")
    // Errors of the parser are said where all others are.
    .configureOutput({ outputError: () => undefined })
    .addHelpText("after", HELP)
    .exitOverride();
  const verbs = Object.hasOwn(VERBS, asked) ? [VERBS[asked]!] : Object.values(VERBS);
  for (const load of verbs) await (await load())(program);
  for (const command of program.commands) {
    command.exitOverride();
    for (const inner of command.commands) inner.exitOverride();
  }
  return program;
}

/** Does what this process was started for; its end is said in the exit code. */
export async function runCommandLine(): Promise<void> {
  const args = process.argv.slice(2);
  // Whoever reads us may stop reading, as `head` does.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(EXIT.ok);
  });
  const program = await createProgram(args[0]);
  try {
    refuseSecrets(args);
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    const options = { json: args.includes("--json") };
    // Help is an end of the parser's too: with 0 where it was asked for.
    if (!(error instanceof CommanderError)) fail(error, options);
    else if (error.exitCode === 0) process.exitCode = EXIT.ok;
    else if (error.code === "commander.help") process.exitCode = EXIT.usage;
    else fail(parserError(error.message), options);
  }
}
