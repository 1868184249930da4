/** `sallyport service`: the agent as a service of this machine. */
import type { Command } from "commander";
import { ConfigError } from "../config-error.ts";
import { run } from "../install/command.ts";
import { LAYOUT, UNIT } from "../install/layout.ts";
import {
  type InstallOptions,
  installService,
  leftovers,
  serviceStatus,
  uninstallService,
  unitAccount,
} from "../install/service.ts";
import { EXIT, UsageError } from "./exit.ts";
import { counted, type OutputOptions, print } from "./print.ts";
import { guarded, JSON_OPTION } from "./verb.ts";

/** The verbs of this platform. */
export async function addService(program: Command): Promise<void> {
  if (process.platform === "win32") (await import("./service-windows.ts")).addWindowsService(program);
  else addLinuxService(program);
}

function addLinuxService(program: Command): void {
  const service = program.command("service").description("the agent as a service of this machine (Linux with systemd)");
  service
    .command("install")
    .description("make the service, or mend it, and start it once this machine is enrolled")
    .option("--account <name>", "run as this account, which has to be there; default: one of its own, sallyport")
    .option("--encrypt-key", "keep the unseal key's secret part as a credential that systemd encrypts for this machine")
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `
It makes the account, gives each file its owner and rights, writes ${LAYOUT.unit} and enables it. Repeat it whenever rights
are not what they should be.

Example:
  sallyport service install && sallyport status`,
    )
    .action((options: InstallOptions & OutputOptions) => guarded(options, () => install(options)));
  service
    .command("uninstall")
    .description("stop and remove the service; policy, keys and journal stay")
    .option("--purge", "remove these and the account too; needs --yes")
    .option("--yes", "really")
    .option(...JSON_OPTION)
    .addHelpText("after", "\nExample:\n  sallyport service uninstall")
    .action((options: UninstallOptions) => guarded(options, () => uninstall(options)));
  service
    .command("status")
    .description("what systemd says of it; exit 1 when it does not run")
    .option(...JSON_OPTION)
    .addHelpText("after", "\nExample:\n  sallyport service status")
    .action((options: OutputOptions) => guarded(options, () => status(options)));
  service
    .command("account")
    .argument("[name]", "the account from now on")
    .description("show, or change, the account that it runs as; its files go with it")
    .option(...JSON_OPTION)
    .addHelpText("after", "\nExample:\n  sallyport service account svc-sallyport")
    .action((name: string | undefined, options: OutputOptions) => guarded(options, () => account(name, options)));
}

interface UninstallOptions extends OutputOptions {
  readonly purge?: boolean;
  readonly yes?: boolean;
}

function install({ account, encryptKey, ...output }: InstallOptions & OutputOptions): void {
  requireRoot();
  const installed = installService(run, { account, encryptKey: encryptKey === true });
  const next = installed.enrolled
    ? installed.started
      ? "sallyport status"
      : `it starts with the machine, or by: systemctl start ${UNIT}`
    : "sallyport enroll --origin https://…, then sallyport service install again";
  print(output, installed, [
    `Service       ${UNIT}, ${installed.started ? "started" : "not started"}, and with each start of the machine`,
    `Account       ${installed.account}${installed.encrypted ? ", unseal key encrypted by systemd" : ""}`,
    `Files         ${LAYOUT.configuration} is yours, ${LAYOUT.state} the service's`,
    `Next          ${next}`,
  ]);
}

function uninstall({ purge = false, yes = false, ...output }: UninstallOptions): void {
  requireRoot();
  if (purge && !yes) throw new UsageError("--purge removes policy, keys and journal for good: say --yes as well");
  uninstallService(run, purge);
  const left = leftovers();
  print(output, { removed: LAYOUT.unit, left }, [
    "Service       removed",
    left.length === 0 ? "Left          nothing" : `Left          ${left.join(", ")}`,
  ]);
}

function status(options: OutputOptions): void {
  requireLinux();
  const { state, enabled, pid, restarts, exitCode, account, faults } = serviceStatus(run);
  if (state !== "active") process.exitCode = EXIT.no;
  const ended = exitCode === null ? "" : `, last exit code ${exitCode}`;
  print(options, { state, enabled, pid, restarts, exitCode, account, faults }, [
    `SERVICE  ${state}${pid === null ? "" : `, pid ${pid}`}, ${counted(restarts, "restart")}${ended}`,
    `START    ${enabled ? "with the machine" : "by hand only"}`,
    `ACCOUNT  ${account}`,
    `FILES    ${faults.length === 0 ? "rights as they should be" : "sallyport service install mends them:"}`,
    ...faults.map((fault) => `         ${fault}`),
  ]);
}

function account(name: string | undefined, options: OutputOptions): void {
  if (name !== undefined) {
    install({ ...options, account: name });
    return;
  }
  requireLinux();
  const now = unitAccount();
  if (now === undefined) throw new ConfigError("there is no service: `sallyport service install` makes it");
  print(options, { account: now }, [now]);
}

function requireLinux(): void {
  if (process.platform !== "linux") throw new ConfigError("this verb knows systemd only");
}

function requireRoot(): void {
  requireLinux();
  if (process.geteuid?.() !== 0) throw new ConfigError("this needs root: run it with sudo");
}
