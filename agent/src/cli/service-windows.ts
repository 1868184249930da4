/** `sallyport service` on Windows: the same verbs, with accounts as Windows has them, and two that nobody types. */
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { windowsFolders } from "../config.ts";
import { ConfigError } from "../config-error.ts";
import { INSECURE_FILES } from "../install/windows/layout.ts";
import type { Installation } from "../install/windows/service.ts";
import type { UpdaterPlaces } from "../install/windows/update-service.ts";
import { commandLine, nodeArguments, programFiles } from "../program.ts";
import { statePaths } from "../state.ts";
import { readPasswordFile } from "./ask.ts";
import { EXIT, UsageError } from "./exit.ts";
import { SUPERVISOR_FLAGS } from "./own-process.ts";
import { type OutputOptions, print } from "./print.ts";
import { guarded, JSON_OPTION } from "./verb.ts";

interface InstallOptions extends OutputOptions {
  readonly account?: string;
  readonly passwordFile?: string;
  readonly insecureFiles?: boolean;
}

interface UninstallOptions extends OutputOptions {
  readonly purge?: boolean;
  readonly yes?: boolean;
}

const PASSWORD_OPTION = [
  "--password-file <file>",
  "of a dedicated account: its password's file, - for the standard input",
] as const;

const INSECURE_OPTION = [
  "--insecure-files",
  "although others can change the program, or the account its own policy (demonstrations only)",
] as const;

export function addWindowsService(program: Command): void {
  const service = program.command("service").description("the agent as a service of this machine (Windows)");
  service
    .command("install")
    .description("make the service, or mend it, and start it once this machine is enrolled")
    .option("--account <name>", "run as this account; default: one of its own, NT SERVICE\\Sallyport")
    .option(...PASSWORD_OPTION)
    .option(...INSECURE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText("after", INSTALL_HELP)
    .action((options: InstallOptions) => guarded(options, () => install(options)));
  service
    .command("uninstall")
    .description("stop and remove the service; policy, keys and journal stay")
    .option("--purge", "remove these too; needs --yes")
    .option("--yes", "really")
    .option(...JSON_OPTION)
    .addHelpText("after", "\nExample:\n  sallyport service uninstall")
    .action((options: UninstallOptions) => guarded(options, () => uninstall(options)));
  service
    .command("status")
    .description("what Windows says of it; exit 1 when it does not run")
    .option(...JSON_OPTION)
    .addHelpText("after", "\nExample:\n  sallyport service status")
    .action((options: OutputOptions) => guarded(options, () => status(options)));
  service
    .command("account")
    .argument("[name]", "the account from now on")
    .description("show, or change, the account that it runs as; rights of files stay, they are the service's own")
    .option(...PASSWORD_OPTION)
    .option(...INSECURE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText("after", "\nExample:\n  sallyport service account CORP\\svc-sallyport$")
    .action((name: string | undefined, options: InstallOptions) => guarded(options, () => account(name, options)));
  // What the service control manager starts, and what the agent asks of Windows by.
  service
    .command("host", { hidden: true })
    .option(...INSECURE_OPTION)
    .action((options: Pick<InstallOptions, "insecureFiles">) => guarded({}, () => host(options)));
  service.command("update-host", { hidden: true }).action(() => guarded({}, updateHost));
  service.command("native", { hidden: true }).action(() => guarded({}, answer));
}

const INSTALL_HELP = `
It gives each file its rights, encrypts keys that are not, registers the event log's source, and makes the service start with
the machine, and its updater on demand. Repeat it whenever rights are not what they should be. It needs an administrator's rights.

It refuses a program that others than administrators can change, a folder in ProgramData that it did not make, and an account that
could change its own policy: "Local System", an administrator.

Accounts: "NT SERVICE\\Sallyport" (the default), "Network Service", DOMAIN\\name$ (a gMSA), and DOMAIN\\name or .\\name with
--password-file.

Example:
  sallyport service install
  sallyport service install --account CORP\\svc-sallyport --password-file -`;

async function installation(): Promise<Installation> {
  const { windows } = await import("../install/windows/system.ts");
  const files = await filesOfProgram();
  const program = [process.execPath, ...commandLine()];
  return { windows, ...places(), program, programFiles: files, updater: await updaterPlaces() };
}

async function updaterPlaces(): Promise<UpdaterPlaces | undefined> {
  const { installedPlaces } = await import("../update/installed.ts");
  const found = installedPlaces(windowsFolders().state);
  if (found === undefined) return undefined;
  const { removeBrought } = await import("../update/windows/platform.ts");
  const { own, versions } = found;
  return { program: process.execPath, own, versions, remove: removeBrought };
}

/** With what lies beside the executable: Windows looks for libraries there first. */
async function filesOfProgram(): Promise<readonly string[]> {
  const { besides } = await import("../install/windows/trust.ts");
  return [...new Set([...besides(process.execPath), ...programFiles()])];
}

function places() {
  const layout = windowsFolders();
  return { layout, paths: statePaths(layout.state) };
}

async function install({ account, passwordFile, insecureFiles, ...output }: InstallOptions): Promise<void> {
  const { installService } = await import("../install/windows/service.ts");
  const password = passwordFile === undefined ? undefined : await readPasswordFile(passwordFile);
  const where = await installation();
  const { kind, ...installed } = await installService(where, { account, password, insecureFiles });
  const next = installed.enrolled
    ? "sallyport status"
    : "sallyport enroll --origin https://…, then sallyport service install again";
  print(output, installed, [
    `Service       ${installed.unit}, ${installed.started ? "started" : "not started"}, and with each start of the machine`,
    `Account       ${installed.account}${installed.encrypted ? ", keys encrypted by this machine" : ""}`,
    ...(kind === "system" ? ["              it can change its own policy and program: another account could not"] : []),
    ...(installed.unknown.length === 0
      ? []
      : [`Not set       ${installed.unknown.join(", ")}: this system knows none`]),
    `Files         ${where.layout.configuration} is yours, ${where.layout.state} the service's`,
    `Next          ${next}`,
  ]);
}

async function uninstall({ purge = false, yes = false, ...output }: UninstallOptions): Promise<void> {
  if (purge && !yes) throw new UsageError("--purge removes policy, keys and journal for good: say --yes as well");
  const { leftovers, uninstallService } = await import("../install/windows/service.ts");
  const where = await installation();
  await uninstallService(where, purge);
  const left = leftovers(where);
  print(output, { removed: "Sallyport", left }, [
    "Service       removed",
    left.length === 0 ? "Left          nothing" : `Left          ${left.join(", ")}`,
  ]);
}

async function status(options: OutputOptions): Promise<void> {
  const { serviceStatus } = await import("../install/windows/service.ts");
  const found = serviceStatus(await installation());
  const { state, enabled, pid, exitCode, account, faults } = found;
  if (state !== "running") process.exitCode = EXIT.no;
  const ended = exitCode === null ? "" : `, last exit code ${exitCode}`;
  print(options, found, [
    `SERVICE  ${state}${pid === null ? "" : `, pid ${pid}`}${ended}`,
    `START    ${enabled ? "with the machine" : "by hand only"}`,
    `ACCOUNT  ${account}`,
    `FILES    ${faults.length === 0 ? "rights as they should be" : "sallyport service install mends them:"}`,
    ...faults.map((fault) => `         ${fault}`),
  ]);
}

async function account(name: string | undefined, options: InstallOptions): Promise<void> {
  if (name !== undefined) return await install({ ...options, account: name });
  if (options.passwordFile !== undefined) throw new UsageError("--password-file goes with an account's name");
  const { accountOf } = await import("../install/windows/service.ts");
  const now = accountOf(await installation());
  print(options, { account: now }, [now]);
}

async function host({ insecureFiles = false }: Pick<InstallOptions, "insecureFiles">): Promise<void> {
  const { runHost } = await import("../install/windows/host-main.ts");
  const agent = [...nodeArguments(SUPERVISOR_FLAGS), ...commandLine(), "run", "--until-input-ends"];
  const more = insecureFiles ? [INSECURE_FILES] : [];
  const files = insecureFiles ? undefined : await filesOfProgram();
  await runHost({ ...places(), agent: [process.execPath, ...agent, ...more], programFiles: files });
  // Libraries may linger; the service has stopped.
  process.exit();
}

async function updateHost(): Promise<void> {
  const { installedPlaces } = await import("../update/installed.ts");
  const found = installedPlaces(windowsFolders().state);
  if (found === undefined)
    throw new ConfigError("this program does not lie in a folder of versions: nothing updates it");
  const { runUpdateHost } = await import("../install/windows/update-host-main.ts");
  await runUpdateHost(found);
  process.exit();
}

async function answer(): Promise<void> {
  const { answerNative } = await import("../install/windows/native-child.ts");
  process.stdout.write(JSON.stringify(await answerNative(await text(process.stdin))));
}
