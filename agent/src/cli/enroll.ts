/** `sallyport enroll`: makes this machine an agent of a site, with a code from the platform team. */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { ERRORS } from "@sallyport/shared/protocol/errors.ts";
import { parseStrictYaml } from "@sallyport/shared/strict-yaml.ts";
import type { Command } from "commander";
import { stringify } from "yaml";
import { z } from "zod";
import { type AgentConfig, agentConfig, defaultStateDir, loadConfig, parseConfig } from "../config.ts";
import { ConfigError } from "../config-error.ts";
import { runChecks } from "../doctor/check.ts";
import { allChecks } from "../doctor/checks.ts";
import type { Enrolled } from "../enrol.ts";
import { ensureAccount } from "../install/account.ts";
import { run } from "../install/command.ts";
import { LAYOUT } from "../install/layout.ts";
import { ownerOf, settleRights } from "../install/rights.ts";
import { isServiceRunning } from "../install/service.ts";
import { ensureDataFolder } from "../install/windows/data-folder.ts";
import { openJournal } from "../journal/journal.ts";
import { loadNetwork } from "../origin.ts";
import { DENY_ALL } from "../policy/first-policy.ts";
import { asOwnerOf } from "../regular-file.ts";
import { readPinned, type StatePaths, statePaths, writeFileDurably } from "../state.ts";
import { readStatus } from "../supervisor/status.ts";
import { VERSION } from "../version.ts";
import { askLine, askSecret, readSecretFile } from "./ask.ts";
import { tally } from "./doctor.ts";
import { UsageError } from "./exit.ts";
import { counted, fail, type OutputOptions, print } from "./print.ts";
import { codeOnCommandLine } from "./refuse-secrets.ts";
import { JSON_OPTION, STATE_OPTION } from "./verb.ts";

interface EnrollOptions extends OutputOptions {
  readonly origin?: string;
  readonly codeFile?: string;
  readonly state: string;
  readonly account?: string;
  readonly unlessEnrolled?: boolean;
  readonly ca?: string;
  readonly proxy?: string;
  readonly rendezvousHost?: readonly string[];
}

export function addEnroll(program: Command): void {
  program
    .command("enroll")
    .description("make this machine an agent of a site, with an enrolment code")
    .option("--origin <url>", "the orchestrator's address, https://…; asked for when it is missing")
    .option("--code-file <file>", "file with the code, - for the standard input; asked for, unseen, when it is missing")
    .option(...STATE_OPTION)
    .option("--account <name>", "as root: the account that the agent will run as, where no service was installed")
    .option("--unless-enrolled", "do nothing, and succeed, where this machine is enrolled already")
    .option("--ca <file>", "PEM file of authorities to trust beside the usual ones")
    .option("--proxy <url>", "http://host:port; with a password it belongs into agent.yaml")
    .option("--rendezvous-host <host:port...>", "further relay hosts, for a relay that is not Azure's")
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `
The code authenticates both sides and never leaves this machine, so it has no place on the command line either.
Enrolling again keeps policy.yaml and the journal.

Example:
  sallyport enroll --origin https://sallyport-contoso.azurewebsites.net
  sallyport enroll --origin https://… --code-file /run/secrets/code --state /var/lib/sallyport`,
    )
    // Taken here and refused by us: the parser would repeat them, and one may be the code.
    .allowExcessArguments()
    .action(async (options: EnrollOptions, command: Command) => {
      try {
        if (command.args.length > 0) throw codeOnCommandLine();
        await enroll(options);
      } catch (error) {
        fail(error, options);
      }
    });
}

async function enroll(options: EnrollOptions): Promise<void> {
  const { enrol, readCode, readOrigin } = await import("../enrol.ts");
  const paths = statePaths(resolve(options.state));
  if (options.unlessEnrolled && readPinned(paths) !== undefined) {
    print(options, { enrolled: true }, [`${paths.root} is enrolled already: nothing was changed`]);
    return;
  }
  // Before anything is believed, or written, that somebody else may have put there.
  ensureDataFolder(paths);
  const account = options.account === undefined ? undefined : ensureAccount(run, options.account);
  await refuseRunning(paths);
  if (options.origin === undefined && !process.stdin.isTTY)
    throw new UsageError("give the orchestrator's address with --origin");
  const origin = readOrigin(options.origin ?? (await askLine("Orchestrator URL: ")));
  const typed =
    options.codeFile === undefined
      ? await askSecret("Enrolment code (not shown): ")
      : await readSecretFile(options.codeFile);
  const code = readCode(typed);
  const ca = options.ca === undefined ? undefined : resolve(options.ca);
  if (ca !== undefined && !existsSync(ca)) throw new UsageError(`${ca} cannot be read`);
  const before = configured(paths);
  const network = loadNetwork(ca ?? before.ca, options.proxy ?? before.proxy);
  const enrolled = await enrol(origin, code, paths, network, AbortSignal.timeout(60_000));
  const config = writeConfig(paths, origin, enrolled, { ...options, ...(ca === undefined ? {} : { ca }) });
  const newPolicy = !existsSync(paths.policy);
  if (newPolicy) writeFileDurably(paths.policy, DENY_ALL);
  noteInJournal(paths, config, enrolled);
  // What root has written here is of no use to the service's account before.
  const owner = account ?? ownerOf(paths);
  if (owner !== undefined) settleRights(paths, owner);
  const checks = tally(await runChecks(allChecks(loadConfig(paths.config), paths, new Date())));
  report(options, paths, enrolled, newPolicy, checks);
}

/** @throws ConfigError, NotNowError */
async function refuseRunning(paths: StatePaths): Promise<void> {
  const isInstalled = process.platform === "linux" && paths.root === LAYOUT.state;
  if ((isInstalled && isServiceRunning(run)) || readStatus(paths, Date.now())?.live) {
    throw new ConfigError(`an agent is running on ${paths.root}: stop it first, then enrol again`);
  }
  // One that is stuck has written no status for a while, and would go on with its journal beside our line.
  const { holdState } = await import("../supervisor/hold.ts");
  if (existsSync(paths.run)) asOwnerOf(paths.run, () => holdState(paths)());
}

/** What agent.yaml says so far; it may hold a few lines only that the owner wrote before the first enrolment. */
function configured(paths: StatePaths): { readonly lines: object; readonly proxy?: string; readonly ca?: string } {
  if (!existsSync(paths.config)) return { lines: {} };
  const parsed = ownLines.safeParse(parseStrictYaml(readFileSync(paths.config, "utf8")));
  if (!parsed.success) throw new ConfigError(`${paths.config} is not valid: ${parsed.error.issues[0]?.message}`);
  const { proxy, tls } = parsed.data;
  return {
    lines: parsed.data,
    ...(proxy === undefined ? {} : { proxy }),
    ...(tls?.ca === undefined ? {} : { ca: resolve(paths.configuration, tls.ca) }),
  };
}

const ownLines = z.looseObject({ proxy: agentConfig.shape.proxy, tls: agentConfig.shape.tls.optional() });

/** Writes agent.yaml: what a former one said of this machine stays, who the agent is changes. */
function writeConfig(paths: StatePaths, origin: string, { answer }: Enrolled, options: EnrollOptions): AgentConfig {
  const { ca, proxy, rendezvousHost } = options;
  const config = {
    ...configured(paths).lines,
    v: 1,
    origin,
    agent: answer.agent,
    tenant: answer.tenant,
    site: answer.site,
    ...(ca === undefined ? {} : { tls: { ca } }),
    ...(proxy === undefined ? {} : { proxy }),
    ...(rendezvousHost === undefined ? {} : { rendezvousHosts: rendezvousHost }),
    stateDir: paths.root,
  };
  const text = stringify(config);
  const parsed = parseConfig(text, paths.config);
  writeFileDurably(paths.config, text);
  return parsed;
}

/** By the owner's own limits: opening a journal removes what is beyond them. */
function noteInJournal(paths: StatePaths, config: AgentConfig, { answer }: Enrolled): void {
  asOwnerOf(paths.journal, () => {
    const journal = openJournal(paths.journal, config.journal);
    journal.append({ event: "enrol", agent: answer.agent, site: answer.site, version: VERSION });
    journal.close();
  });
}

function report(
  options: OutputOptions,
  paths: StatePaths,
  enrolled: Enrolled,
  newPolicy: boolean,
  { ok, warned, failed }: ReturnType<typeof tally>,
): void {
  const { answer, agentFingerprint, orchestratorFingerprints } = enrolled;
  const { agent, tenant, tenantName, site, siteName, status } = answer;
  const pending = status === "pending";
  print(
    options,
    {
      agent,
      tenant,
      site,
      status,
      agentFingerprint,
      orchestratorFingerprints,
      config: paths.config,
      policy: paths.policy,
      checks: { ok, warned, failed },
    },
    [
      ...orchestratorFingerprints.map((each) => `Orchestrator  ${each}   matches the code`),
      `This agent    ${agentFingerprint}   ${pending ? "tell it to whoever approves" : "is approved"}`,
      `Enrolled as   ${agent}, site ${siteName}, tenant ${tenantName}${pending ? "   (waiting for approval)" : ""}`,
      `Written       ${paths.config}, policy.yaml (${newPolicy ? "denies everything" : "kept as it was"})`,
      `Checks        ${checksText(ok, warned, failed)}`,
      ...nextSteps(paths),
      ...(pending ? [ERRORS["agent.pending"].advice] : []),
    ],
  );
}

function checksText(ok: number, warned: number, failed: number): string {
  const text = `${ok} ok, ${counted(warned, "warning")}${failed === 0 ? "" : `, ${failed} failed`}`;
  return warned + failed === 0 ? text : `${text}: run \`sallyport doctor\``;
}

/** Each line as it can be pasted; the folder only where it is not the usual one. */
function nextSteps(paths: StatePaths): string[] {
  const state = paths.root === defaultStateDir() ? "" : ` --state ${quoted(paths.root)}`;
  const isInstalled = state === "" && (process.platform === "win32" || ownerOf(paths) !== undefined);
  return [
    `Next          edit ${paths.policy}, then`,
    ...["policy check", isInstalled ? "service install" : "run", "status"].map(
      (verb) => `                sallyport ${verb}${state}`,
    ),
  ];
}

/** For the shell of this machine. */
function quoted(path: string): string {
  if (/^[A-Za-z0-9_./:\\-]+$/.test(path)) return path;
  return process.platform === "win32" ? `"${path}"` : `'${path.replaceAll("'", "'\\''")}'`;
}
