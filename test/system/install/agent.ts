/** An installed agent in its root: enrolled at a site of its own, started as its service would be, pulled from. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TENANT } from "../../stack/start.ts";
import { until } from "../processes.ts";
import { CONNECTION, type World } from "../world.ts";
import { type Root, type RootCommand, type RunCommand, startIn } from "./root.ts";

/** As the root has them. */
export interface Place {
  readonly program: string;
  readonly configuration: string;
}
const INSTALLED: Place = { program: "/usr/bin/sallyport", configuration: "/etc/sallyport" };

export interface Enrolled {
  readonly site: string;
  readonly agent: string;
  /** What must never be seen from outside. */
  readonly secrets: readonly string[];
}

/**
 * Enrols as root does. The authority of the stack lies beside agent.yaml, as a company's would.
 * @param configuration where the place's configuration is from here
 */
export async function enrol(
  { stack, folder }: World,
  run: RunCommand,
  site: string,
  configuration: string,
  more: readonly string[] = [],
  place: Place = INSTALLED,
): Promise<Enrolled> {
  await stack.api.post(`/tenants/${TENANT}/sites`, { id: site, name: site });
  const { code } = await stack.api.post<{ code: string }>(`/tenants/${TENANT}/sites/${site}/codes`, {
    autoApprove: true,
  });
  copyFileSync(join(folder, "ca.pem"), join(configuration, "ca.pem"));
  const relay = [
    ...["--ca", `${place.configuration}/ca.pem`],
    ...["--rendezvous-host", `localhost:${stack.relay.rendezvousPort}`],
  ];
  const args = [place.program, "enroll", "--origin", stack.origin, "--code-file", "-", "--json", ...relay, ...more];
  const printed = await run({ args, input: `${code}\n` });
  const { agent } = JSON.parse(printed) as { agent: string };
  return { site, agent, secrets: [code] };
}

/** The world's policy, as the owner's editor would leave it: the same owner and rights. */
export async function setPolicy(world: World, { site }: Enrolled, configuration: string): Promise<void> {
  const sqlAuthority = join(world.folder, "sql-ca.pem");
  writeFileSync(join(configuration, "sql-ca.pem"), readFileSync(sqlAuthority), { mode: 0o644 });
  const policy = world.policy
    .replace(`  ${CONNECTION}:`, `  ${site}:`)
    .replace(JSON.stringify(sqlAuthority), "sql-ca.pem");
  writeFileSync(join(configuration, "policy.yaml"), policy);
  await world.connect(site, site);
  await world.definePull(site, site, "dbo.Marked");
}

export interface Running {
  readonly process: ChildProcess;
  log(): string;
  /** SIGTERM, and its exit code. */
  stop(): Promise<number | null>;
}

/** Starts it and waits until it takes sessions. */
export async function start(
  { stack, cleanup }: World,
  root: Root,
  agent: string,
  command: RootCommand,
): Promise<Running> {
  const child = cleanup.add(startIn(root, command), (it) => it.kill("SIGKILL"));
  let log = "";
  child.stderr?.on("data", (piece) => {
    log += piece;
  });
  let ended: number | null | undefined;
  const exited = once(child, "close").then(([code]) => {
    ended = code as number | null;
    return ended;
  });
  await until(
    "the installed agent listens",
    () => {
      if (ended !== undefined) throw new Error(`it ended with ${ended}:\n${log}`);
      return log.includes("control channel online");
    },
    120_000,
  ).catch((error: Error) => {
    throw new Error(`${error.message}; it has said:\n${log}`);
  });
  await stack.relay.listening(`a-${agent}`);
  return {
    process: child,
    log: () => log,
    stop() {
      child.kill("SIGTERM");
      return exited;
    },
  };
}
