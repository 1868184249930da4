/** `agent.yaml`: how this installation reaches the orchestrator, and how much it may use of its machine. */
import { readFileSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { channel, ring } from "@sallyport/shared/release/manifest.ts";
import { nameId, randomId } from "@sallyport/shared/schema/ids.ts";
import { clockHours } from "@sallyport/shared/schema/policy-connection.ts";
import { readStrictYaml, type StrictYaml } from "@sallyport/shared/strict-yaml.ts";
import { z } from "zod";
import { ConfigError } from "./config-error.ts";
import { LAYOUT, type Layout } from "./install/layout.ts";
import { type WindowsLayout, windowsLayout } from "./install/windows/layout.ts";
import { syslogConfig } from "./syslog/target.ts";

const UNITS = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;

/** `512MiB` as a number of bytes. */
const byteSize = z
  .string()
  .regex(/^[1-9][0-9]{0,9}(B|KiB|MiB|GiB)$/, "write a size as 512MiB or 1GiB")
  .transform((text) => {
    const unit = text.replace(/^[0-9]+/, "") as keyof typeof UNITS;
    return Number.parseInt(text, 10) * UNITS[unit];
  });

/** `https://host[:port]`, nothing after it. */
export const originUrl = z.string().refine((text) => {
  const url = URL.parse(text);
  return url !== null && url.protocol === "https:" && url.origin === text;
}, "write it as https://host, without a path; http: is refused");

/** The percent-encoded user and password are decoded at each connection (tunnel.ts), which has to be possible. */
const proxyUrl = z.string().refine((text) => {
  const url = URL.parse(text);
  if (url === null || url.protocol !== "http:" || url.pathname !== "/" || url.search !== "") return false;
  return [url.username, url.password].every(isDecodable);
}, "write it as http://host:port or http://user:password@host:port, with %40 for @, %3A for : and %C3%A4 for ä in the password");

/** UTF-8 in percent-encoding: `%E4` alone is no letter. */
function isDecodable(part: string): boolean {
  try {
    decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

/** `host` (port 443) or `host:port`, in lower case from here on: so an address has its host. */
const hostAndPort = z
  .string()
  .regex(/^[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$/, "write it as host or host:port")
  .toLowerCase();

const MIB = 2 ** 20;

export const agentConfig = z.strictObject({
  v: z.literal(1),
  origin: originUrl,
  agent: randomId,
  tenant: nameId,
  site: nameId,
  /** `ca`: a PEM file of authorities trusted beside Node's own, for origin and relay. */
  tls: z.strictObject({ ca: z.string().min(1).optional() }).prefault({}),
  proxy: proxyUrl.optional(),
  /** Further rendezvous hosts, these and no others: how a relay without gateways of its own is reached. */
  rendezvousHosts: z.array(hostAndPort).max(16).default([]),
  stateDir: z.string().min(1).default("."),
  maxSessions: z.int().min(1).max(64).default(4),
  drainSeconds: z.int().min(0).max(3600).default(60),
  executorMemory: byteSize.prefault("512MiB").refine((bytes) => bytes >= 192 * MIB, "give it at least 192MiB"),
  /** Life of the agent's identity: at two thirds of it the agent goes over to a new one by itself. */
  identityDays: z.int().min(3).max(365).default(90),
  channel: z.enum(["hyco-ws", "ws"]).default("hyco-ws"),
  journal: z
    .strictObject({
      maxBytes: byteSize.prefault("1GiB"),
      maxDays: z.int().min(1).max(3650).default(400),
      /** Where each line is copied to as a syslog message (RFC 5424). */
      syslog: syslogConfig.optional(),
    })
    .prefault({}),
  /** Which releases this agent is for, and when it may take them by itself; whether it may, policy.yaml says. */
  updates: z
    .strictObject({
      channel: channel.default("stable"),
      ring: ring.default("broad"),
      hours: clockHours.prefault({}),
    })
    .prefault({}),
});
export type AgentConfig = z.infer<typeof agentConfig>;

/** Parses the text of agent.yaml. @throws ConfigError that names every wrong field. */
export function parseConfig(text: string, file: string): AgentConfig {
  let yaml: StrictYaml;
  try {
    yaml = readStrictYaml(text);
  } catch (error) {
    throw new ConfigError(`${file}: ${(error as Error).message}`);
  }
  const parsed = agentConfig.safeParse(yaml.value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => yaml.problemAt(issue.path, issue.message));
  const lines = problems.map(({ line, path, message }) => `  line ${line}, ${path || "(file)"}: ${message}`);
  throw new ConfigError(`${file} is not valid:\n${lines.join("\n")}`);
}

/** Reads agent.yaml and makes its paths absolute, relative ones from the file's own folder. */
export function loadConfig(file: string): AgentConfig {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    throw new ConfigError(
      `${file} cannot be read: enrol first with \`sallyport enroll\`, or name its folder with --state`,
    );
  }
  const config = parseConfig(text, file);
  const from = (path: string): string => (isAbsolute(path) ? path : join(dirname(resolve(file)), path));
  const ca = config.tls.ca;
  const { syslog } = config.journal;
  const journal = syslog?.ca === undefined ? {} : { syslog: { ...syslog, ca: from(syslog.ca) } };
  return {
    ...config,
    stateDir: from(config.stateDir),
    tls: ca === undefined ? {} : { ca: from(ca) },
    journal: { ...config.journal, ...journal },
  };
}

/** Variables that change what Node does, print secrets, or switch TLS checks off. */
const REFUSED_VARIABLES = ["NODE_OPTIONS", "NODE_DEBUG", "NODE_TLS_REJECT_UNAUTHORIZED"];

/** @throws ConfigError that names what is set. */
export function refuseEnvironment(environment: NodeJS.ProcessEnv = process.env): void {
  const set = REFUSED_VARIABLES.filter((name) => environment[name] !== undefined);
  if (set.length > 0)
    throw new ConfigError(`${set.join(", ")} must not be set for the agent: unset it and start again`);
}

/** An installation's folders on Windows. */
export const windowsFolders = (): WindowsLayout => windowsLayout(process.env.ProgramData ?? "C:\\ProgramData");

/** Where an installation keeps what its owner writes, and what the agent does. */
const installedFolders = (): Pick<Layout, "configuration" | "state"> =>
  process.platform === "win32" ? windowsFolders() : LAYOUT;

/** Where agent.yaml and policy.yaml of the agent whose state lies in `root` are: of an installation, in a folder of the owner's. */
export function configurationOf(root: string): string {
  const installed = installedFolders();
  return root === installed.state ? installed.configuration : root;
}

/** Where state lies unless `--state` or `stateDir` says otherwise. */
export const defaultStateDir = (): string => installedFolders().state;

/** What Windows' own libraries need to find their files and folders; nothing else of ours goes on to a child. */
const OF_WINDOWS = ["SystemRoot", "SystemDrive", "windir", "ProgramData", "ProgramFiles", "TEMP", "TMP", "Path"];

/** The environment of a child that runs this program, without what could change what it does. */
export const childEnvironment = (environment: NodeJS.ProcessEnv = process.env): Record<string, string> =>
  Object.fromEntries(
    OF_WINDOWS.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );

/** Where commands of the system's are looked for, administrators' folders too: `su` leaves them out. */
export const searchPath = (): string => `${process.env.PATH ?? "/usr/bin:/bin"}:/usr/sbin:/sbin`;

/** Set, it wants no colours (https://no-color.org). */
export const noColour = (): string | undefined => process.env.NO_COLOR;

/** Looked at by many programs, by the agent never. */
const PROXY_VARIABLES = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/** Those that are set, for whoever wonders that they change nothing. */
export const unusedProxyVariables = (environment: NodeJS.ProcessEnv = process.env): readonly string[] =>
  PROXY_VARIABLES.filter((name) => (environment[name] ?? "") !== "");
