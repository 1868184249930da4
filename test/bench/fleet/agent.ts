/**
 * One simulated agent: enrolment, tokens, control channel and sessions are the product's own code. What an agent has besides
 * is left out: no processes for its sessions, no policy, no journal.
 */

import { systemClock } from "@sallyport/agent/src/clock.ts";
import { enrol, readCode } from "@sallyport/agent/src/enrol.ts";
import { loadIdentity } from "@sallyport/agent/src/keys.ts";
import type { Network } from "@sallyport/agent/src/origin.ts";
import { type Pinned, readPinned, statePaths } from "@sallyport/agent/src/state.ts";
import { openWsSocket } from "@sallyport/agent/src/supervisor/channel-ws.ts";
import { createListener, type Listener, type ListenerDeps } from "@sallyport/agent/src/supervisor/listener.ts";
import { isRendezvousAddress, readSenderHeaders } from "@sallyport/agent/src/supervisor/rendezvous.ts";
import { createTokenKeeper, type TokenKeeper } from "@sallyport/agent/src/supervisor/token-keeper.ts";
import { requestToken } from "@sallyport/agent/src/supervisor/tokens.ts";
import { VERSION } from "@sallyport/agent/src/version.ts";
import { sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { signerOf } from "@sallyport/shared/crypto/identity.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { AgentState } from "@sallyport/shared/schema/liveness.ts";
import { serveSession } from "./session.ts";

export interface Enrolment {
  readonly origin: string;
  readonly code: string;
  /** The agent's own. */
  readonly folder: string;
  readonly network: Network;
  readonly rendezvousHost: string;
}

export interface SimulatedAgent {
  readonly id: string;
  readonly online: boolean;
  readonly canaries: number;
  readonly requests: number;
  /** Tokens that it was given since it began to listen. */
  readonly tokens: number;
  /** Keeps tokens and the control channel until the signal. */
  listen(signal: AbortSignal): Promise<void>;
  renew(): void;
}

/** Told after each thing that happened; `failure`: what a session failed with. */
export type Told = (failure?: string) => void;

const POLICY = toBase64url(sha256(utf8("a policy that nobody reads")));
const MAX_SESSIONS = 4;
const nothing = (): void => {};
const SILENT = { info: nothing, warn: nothing, error: nothing } as unknown as ListenerDeps["log"];

/** @throws SallyportError when it is refused */
export async function enrolAgent(
  { origin, code, folder, network, rendezvousHost }: Enrolment,
  told: Told,
  signal: AbortSignal,
): Promise<SimulatedAgent> {
  const paths = statePaths(folder);
  await enrol(origin, readCode(code), paths, network, signal);
  const signer = signerOf("EdDSA", await loadIdentity(paths));
  let pinned: Pinned = readPinned(paths)!;
  let running = 0;
  const counts = { canaries: 0, requests: 0, tokens: 0 };

  const state = (): AgentState => ({
    ...{ version: VERSION, policy: POLICY, maxSessions: MAX_SESSIONS, running, locked: false, draining: false },
  });
  const report = () => ({
    ...{ journal: null, policy: POLICY, locked: false, draining: false, version: VERSION },
    ...{ maxSessions: MAX_SESSIONS, keysSeq: pinned.keysSeq },
  });
  const tokens: TokenKeeper = createTokenKeeper({
    request: (until) =>
      requestToken({ origin, agent: pinned.agent, signer, network, clock: systemClock }, report(), until),
    pinned: () => pinned,
    store: (next) => {
      pinned = next;
    },
    renewed: ({ token }) => listener.renew(token),
    note: (refusal) => {
      if (refusal === undefined) counts.tokens += 1;
      told(refusal);
    },
    revoked: nothing,
    clock: systemClock,
    random: Math.random,
    log: SILENT,
  });
  const onAccept: ListenerDeps["onAccept"] = ({ address, headers }) => {
    const sender = readSenderHeaders(headers);
    const host = new URL(`wss://${pinned.relayHost}`).hostname;
    if (!sender.ok || !isRendezvousAddress(address, host, [rendezvousHost])) return told("accept");
    const { challenge, ping } = sender;
    running += 1;
    void serveSession({ address, challenge, ping, pinned, signer, network, state: state() })
      .then(
        () => {
          counts[ping ? "canaries" : "requests"] += 1;
          told();
        },
        (thrown: unknown) => told(thrown instanceof SallyportError ? thrown.code : String(thrown).slice(0, 80)),
      )
      .finally(() => {
        running -= 1;
      });
  };
  const listener: Listener = createListener({
    ...{ open: openWsSocket, tokens, network, onAccept, clock: systemClock, random: Math.random, log: SILENT },
    onState: () => told(),
  });
  return {
    id: pinned.agent,
    get online() {
      return listener.state.state === "online";
    },
    get canaries() {
      return counts.canaries;
    },
    get requests() {
      return counts.requests;
    },
    get tokens() {
      return counts.tokens;
    },
    async listen(until) {
      await Promise.all([tokens.run(until), listener.run(until)]);
    },
    renew: () => tokens.askNow(),
  };
}
