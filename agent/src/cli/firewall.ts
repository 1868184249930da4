/** `sallyport firewall`: the ticket that lets the agent out, with every host, port and direction, and what is never needed. */
import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { resolve } from "node:path";
import type { Command } from "commander";
import { type AgentConfig, defaultStateDir, loadConfig } from "../config.ts";
import { type Opening, openingsOf, type Ways } from "../doctor/openings.ts";
import { parsePolicy } from "../policy/file.ts";
import { readPinned, type StatePaths, statePaths } from "../state.ts";
import { UsageError } from "./exit.ts";
import { type OutputOptions, print, table } from "./print.ts";
import { guarded, JSON_OPTION } from "./verb.ts";

interface FirewallOptions extends OutputOptions {
  readonly state: string;
  readonly origin?: string;
  readonly proxy?: string;
}

export function addFirewall(program: Command): void {
  program
    .command("firewall")
    .description("prints what to ask of whoever keeps the firewall: every host, port and direction")
    .option("--origin <url>", "before enrolment: the orchestrator's address, https://…")
    .option("--proxy <url>", "before enrolment: http://host:port, where everything goes through a proxy")
    .option("--state <dir>", "the agent's folder, whose agent.yaml and policy.yaml are read", defaultStateDir())
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `
Nothing is contacted. After enrolment it names the relay's host; before, the domain in which every such host lies.

Example:
  sallyport firewall --origin https://sallyport-contoso.azurewebsites.net
  sallyport firewall > ticket.txt`,
    )
    .action((options: FirewallOptions) => guarded(options, () => show(options)));
}

/** @throws UsageError, ConfigError, or SallyportError `policy.invalid` */
function show(options: FirewallOptions): void {
  const openings = openingsOf(waysOf(options));
  print(options, { from: hostname(), openings, neverNeeded: NEVER }, ticket(openings));
}

function waysOf({ state, origin, proxy }: FirewallOptions): Ways {
  const paths = statePaths(resolve(state));
  const config = existsSync(paths.config) && origin === undefined ? loadConfig(paths.config) : undefined;
  if (config !== undefined) return configured(config, paths);
  if (origin === undefined) {
    throw new UsageError("there is no agent here yet: give the orchestrator's address with --origin");
  }
  const url = URL.parse(origin);
  if (url === null || url.protocol !== "https:") throw new UsageError("give --origin as https://host");
  const through = proxy === undefined ? {} : { proxy: addressOf(proxy) };
  return { origin: url.origin, relayHost: undefined, gateways: [], connections: {}, ...through };
}

function configured(config: AgentConfig, paths: StatePaths): Ways {
  const policy = existsSync(paths.policy) ? parsePolicy(readFileSync(paths.policy, "utf8"), new Date()) : undefined;
  return {
    origin: config.origin,
    relayHost: readPinned(paths)?.relayHost,
    gateways: config.rendezvousHosts,
    connections: Object.fromEntries(
      Object.entries(policy?.connections ?? {}).map(([name, { address }]) => [name, address]),
    ),
    ...(config.proxy === undefined ? {} : { proxy: addressOf(config.proxy) }),
    ...(config.journal.syslog === undefined ? {} : { syslog: config.journal.syslog.to }),
  };
}

/** Without the login that it may hold. @throws UsageError */
function addressOf(proxy: string): string {
  const url = URL.parse(proxy);
  if (url === null || url.protocol !== "http:") throw new UsageError("give --proxy as http://host:port");
  return `${url.hostname}:${url.port || "80"}`;
}

const NEVER: readonly string[] = [
  "any connection inwards: the agent listens on nothing",
  "UDP to the orchestrator or the relay, and the ports 5671, 5672 and 9350 to 9354 that other clients of Azure Relay and Service Bus use",
  "the orchestrator's or the relay's IP addresses: they change, the names stay",
  "internet access for SQL Server or the domain controllers",
];

function ticket(openings: readonly Opening[]): string[] {
  const rows = openings.map(({ to, port, udp, protocol, by, why }) => [
    to,
    `${port}/${udp ? "udp" : "tcp"}`,
    protocol,
    by,
    why,
  ]);
  return [
    `Please allow these connections, all of them outgoing from ${hostname()}:`,
    "",
    ...table([["TO", "PORT", "PROTOCOL", "BY", "WHAT FOR"], ...rows]),
    "",
    "The two kinds of WebSockets stay open for hours: no idle time-out below 5 minutes, and no TLS inspection, please.",
    "What goes through them is sealed between the two ends, so an inspection sees nothing, and can only break it.",
    "Name lookup (DNS) of these hosts is needed from the same machine, and its clock has to be right (NTP).",
    "",
    "Never needed:",
    ...NEVER.map((each) => `  - ${each}`),
  ];
}
