/**
 * docs/sallyport.md, made from the command line itself and its exit codes, so that the page and `--help` cannot differ.
 * Who may run a verb is said here, as it follows from whose the files are that the verb reads and writes.
 *
 *   npx node test/rules/pages.ts     write it
 */
import { fileURLToPath } from "node:url";
import { EXIT } from "@sallyport/agent/src/cli/exit.ts";
import { createProgram } from "@sallyport/agent/src/cli/program.ts";
import { addWindowsService } from "@sallyport/agent/src/cli/service-windows.ts";

export const SALLYPORT_PAGE: string = fileURLToPath(new URL("../../docs/sallyport.md", import.meta.url));

/** Columns of the help's text, whatever the terminal has. */
const WIDTH = 110;

const READERS = "root, or the agent's account";
const POLICY_READERS = "whoever can read the policy";
const ROOT = "root";
const ROOT_OR_OWNER = "root, or whoever owns the folder that `--state` names";

interface Row {
  readonly who: string;
  /** What its exit codes mean beside 0, and beside those that any verb may end with. */
  readonly exits?: string;
}

/** Every verb that the help shows, in its order. */
export const VERBS: Readonly<Record<string, Row>> = {
  enroll: { who: ROOT_OR_OWNER },
  run: {
    who: "the service does, as the agent's account, which can change neither policy nor program",
    exits: "0 when it was asked to stop, 75 when whatever keeps it running should start it again",
  },
  status: { who: READERS, exits: "1 when no agent is running" },
  ready: { who: READERS, exits: "1 when it takes no sessions now" },
  "policy check": { who: POLICY_READERS },
  "policy test": { who: POLICY_READERS, exits: "1 when the request is denied" },
  "policy init": { who: ROOT_OR_OWNER },
  "policy suggest": { who: READERS },
  firewall: { who: "anybody, before enrolment; then root, or the agent's account" },
  doctor: {
    who: READERS,
    exits: "2 when something failed, 3 when there are warnings only",
  },
  "grant-script": { who: POLICY_READERS },
  "journal tail": { who: READERS },
  "journal verify": { who: READERS, exits: "1 when the journal was changed or cut" },
  lock: { who: ROOT_OR_OWNER },
  unlock: { who: ROOT_OR_OWNER },
  drain: { who: ROOT_OR_OWNER },
  "keys show": { who: READERS },
  "keys rotate": { who: ROOT_OR_OWNER },
  "credential seal": { who: `${POLICY_READERS}, on any machine` },
  "mask-key show": { who: READERS, exits: "1 when there is no key" },
  "mask-key export": { who: READERS },
  "mask-key import": { who: READERS },
  "service install": { who: ROOT },
  "service uninstall": { who: ROOT },
  "service status": { who: "root, who sees the rights of all files", exits: "1 when it does not run" },
  "service account": { who: "anybody, to see it; root, to change it" },
  "update check": { who: READERS },
  "update apply": {
    who: ROOT,
    exits: "1 when the new version did not work and the one before runs again, 77 when the update was refused",
  },
  "update pin": { who: ROOT },
  "update rollback": { who: ROOT, exits: "1 when that did not work, 77 when there is nothing to go back to" },
  "update status": { who: "anybody" },
  version: { who: "anybody" },
};

/** Of each code of `EXIT`, and of the two that only `doctor` has. */
export const EXITS: Readonly<Record<number, string>> = {
  [EXIT.ok]: "it was done",
  [EXIT.no]: "the answer is no: no agent runs, the request is denied, the journal was changed",
  2: "`doctor`: something failed",
  3: "`doctor`: warnings only",
  [EXIT.usage]: "usage: a wrong option, a code or password on the command line, a mistyped enrolment code",
  [EXIT.policyInvalid]: "policy.yaml is not valid",
  [EXIT.unreachable]: "the orchestrator, or the way to it, cannot be reached (`network.*`)",
  [EXIT.internal]: "a fault of this program: please tell us",
  [EXIT.tryAgain]: "try again later: what is wrong may pass by itself",
  [EXIT.refused]: "refused: by the orchestrator, a signature, or a rule that holds whatever you say",
  [EXIT.configuration]: "configuration: agent.yaml, a file that cannot be read or written, rights that this verb needs",
};

const HEAD = `# sallyport

The agent's command line, for the administrator of its machine. Made from the program by \`npx node test/rules/pages.ts\`: it says what \`--help\` says.

Beside \`run\`, only \`enroll\`, \`doctor\`, \`update check\`, \`update apply\` and \`policy check --online\` use the network; all others read and write files of this machine.
Where it says root, it is an administrator's terminal on Windows. The default of \`--state\` is shown as it is on Linux; on Windows it is \`C:\\ProgramData\\Sallyport\\state\`.

A password, a key, a code, or an address with a login in it is refused on the command line with 64, and not repeated: every user of the machine could see it there. They
are asked for and not shown, or come from a file or the standard input. With \`--json\` a verb prints one object, errors too:
\`{ "error": { "code", "message", "advice" } }\`.
`;

type Command = Awaited<ReturnType<typeof createProgram>>;

/** A verb with the words that lead to it: `policy check`. */
interface Verb {
  readonly name: string;
  readonly command: Command;
}

/** What the help of `parent` shows, groups taken apart. */
export function verbsOf(parent: Command, before = ""): Verb[] {
  const shown = parent.createHelp().visibleCommands(parent);
  return shown
    .filter((command) => command.name() !== "help")
    .flatMap((command) => {
      const name = `${before}${command.name()}`;
      return command.commands.length === 0 ? [{ name, command }] : verbsOf(command, `${name} `);
    });
}

/** As it is shown on a terminal that is wide enough. */
export function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (piece) => {
      text += piece;
    },
    getOutHelpWidth: () => WIDTH,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return text.trimEnd();
}

const block = (text: string): string => `\`\`\`\n${text}\n\`\`\`\n`;

export async function sallyportPage(): Promise<string> {
  const program = await createProgram();
  const windows = await createProgram("version");
  addWindowsService(windows);
  const verbs = verbsOf(program);
  const rows = verbs.map(({ name, command }) => {
    const { who, exits = "" } = VERBS[name] ?? { who: "" };
    return `| [\`${name}\`](#${anchor(name)}) | ${command.description()} | ${who} | ${exits} |\n`;
  });
  const exits = Object.entries(EXITS).map(([code, means]) => `| ${code} | ${means} |\n`);
  const sections = verbs.map(({ name, command }) => `### ${name}\n\n${block(helpOf(command))}`);
  const ofService = verbsOf(windows).filter(({ name }) => name.startsWith("service "));
  const others = ofService.map(({ command }) => block(helpOf(command)));
  return [
    HEAD,
    `## Verbs\n\n| verb | what it does | who may run it | exit codes of its own |\n|---|---|---|---|\n${rows.join("")}`,
    `## Exit codes\n\nAny verb may end with 0, 64, 70, 77 or 78; \`run\`, and one that asks the orchestrator, with 75 or 69, too, and one that goes by the policy with 65. On Windows also any verb that Windows does not answer ends with 75.\n\n| exit | means |\n|---|---|\n${exits.join("")}`,
    `## Each verb\n\n${sections.join("\n")}`,
    `## The service on Windows\n\nThere these four verbs have other options.\n\n${others.join("\n")}`,
  ].join("\n");
}

/** As GitHub makes it of a heading. */
const anchor = (heading: string): string => heading.replaceAll(" ", "-");
