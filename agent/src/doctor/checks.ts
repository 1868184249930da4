/** All checks of one installation, in the order in which a person reads them: outwards first, then the agent's own files. */
import { readFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import { systemClock } from "../clock.ts";
import { type AgentConfig, unusedProxyVariables } from "../config.ts";
import { ConfigError } from "../config-error.ts";
import { loadIdentity } from "../keys.ts";
import { loadNetwork } from "../origin.ts";
import { parsePolicy } from "../policy/file.ts";
import { programFiles } from "../program.ts";
import { readPinned, type StatePaths } from "../state.ts";
import { readStatus } from "../supervisor/status.ts";
import type { Check } from "./check.ts";
import { checkConnection } from "./connection.ts";
import { checkFiles } from "./files.ts";
import { checkDisk, checkJournal, verifyInProcess } from "./journal.ts";
import { checkKeys } from "./keys.ts";
import { checkOrchestrator } from "./orchestrator.ts";
import { checkPolicy } from "./policy.ts";
import { checkProxy } from "./proxy.ts";
import { checkRelay, checkRendezvous } from "./relay.ts";
import { checkToken } from "./token.ts";

/** @throws ConfigError where nothing was enrolled, or a file that says how to reach anything cannot be used */
export function allChecks(config: AgentConfig, paths: StatePaths, now: Date): readonly Check[] {
  const pinned = readPinned(paths);
  if (pinned === undefined) throw new ConfigError("pinned.json is missing: enrol with `sallyport enroll`");
  const { origin } = config;
  const network = loadNetwork(config.tls.ca, config.proxy);
  const found = readStatus(paths, now.getTime());
  const running = found?.live ? found.status : undefined;
  const gateways = [...new Set([...config.rendezvousHosts, ...(running?.gateway ? [running.gateway] : [])])];
  const signing = async () => {
    const { signer } = await loadIdentity(paths);
    return { origin, agent: pinned.agent, signer, network, clock: systemClock };
  };
  return [
    ...checkOrchestrator(origin, network),
    checkProxy(origin, network, unusedProxyVariables()),
    checkRelay(pinned.relayHost, pinned.agent, network),
    ...checkRendezvous(gateways, new URL(`https://${pinned.relayHost}`).hostname, network),
    checkToken(pinned.agent, signing, running),
    checkPolicy(() => readPolicy(paths.policy, now), running, now),
    checkFiles(paths, programFiles(), running !== undefined),
    checkKeys(paths, config.identityDays, now.getTime()),
    checkJournal(paths, (signal) => verifyInProcess(paths.root, signal), config.journal),
    checkDisk(paths),
    ...connectionsOrNone(paths, now),
  ];
}

/** @throws ConfigError, or SallyportError `policy.invalid` */
export function connectionChecks(paths: StatePaths, now: Date): readonly Check[] {
  const { policy } = readPolicy(paths.policy, now);
  return Object.entries(policy.connections).map(([name, connection]) => {
    const { ca } = connection.tls;
    const pem = ca === undefined ? undefined : read(isAbsolute(ca) ? ca : join(dirname(paths.policy), ca));
    return checkConnection(name, connection, pem);
  });
}

/** A policy that cannot be read is the matter of its own check. */
function connectionsOrNone(paths: StatePaths, now: Date): readonly Check[] {
  try {
    return connectionChecks(paths, now);
  } catch {
    return [];
  }
}

function readPolicy(path: string, now: Date): { readonly text: string; readonly policy: Policy } {
  const text = read(path);
  return { text, policy: parsePolicy(text, now) };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    throw new ConfigError(`${path} cannot be read`);
  }
}
