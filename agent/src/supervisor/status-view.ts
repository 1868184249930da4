/** What the running agent says of itself in `run/status.json`, from its parts as they are at that moment. */
import { fingerprint } from "@sallyport/shared/crypto/identity.ts";
import type { Clock } from "../clock.ts";
import type { AgentConfig } from "../config.ts";
import type { Pinned } from "../state.ts";
import { VERSION } from "../version.ts";
import type { Accepts } from "./accepts.ts";
import type { Admission } from "./budgets.ts";
import type { IdentityKeeper } from "./identity.ts";
import type { Journaling } from "./journaling.ts";
import type { Listener } from "./listener.ts";
import type { Liveness } from "./liveness.ts";
import type { PolicySource } from "./policy-source.ts";
import { type AgentStatus, accountName, readiness } from "./status.ts";
import type { TokenKeeper } from "./token-keeper.ts";

export interface StatusParts {
  readonly config: Pick<AgentConfig, "maxSessions">;
  readonly pinned: () => Pinned;
  readonly identity: Pick<IdentityKeeper, "publicJwk">;
  readonly listener: Pick<Listener, "state">;
  readonly tokens: Pick<TokenKeeper, "state">;
  readonly liveness: Pick<Liveness, "state">;
  readonly policy: Pick<PolicySource, "state">;
  readonly accepts: Pick<Accepts, "gateway" | "served">;
  readonly admission: Pick<Admission, "running">;
  readonly journaling: Pick<Journaling, "journal" | "known" | "copied">;
  readonly updates: () => AgentStatus["updates"];
  readonly isLocked: () => boolean;
  readonly isDraining: () => boolean;
  readonly clock: Pick<Clock, "wallMs">;
}

/** To be called once, when the agent starts. */
export function createStatusView(parts: StatusParts): () => Promise<AgentStatus> {
  const { listener, tokens, liveness, accepts, admission, clock, isLocked, isDraining } = parts;
  const { journal, known, copied } = parts.journaling;
  const startedAt = new Date(clock.wallMs()).toISOString();
  return async () => {
    const { agent, tenantName, siteName } = parts.pinned();
    const head = journal.head();
    return {
      v: 1,
      at: new Date(clock.wallMs()).toISOString(),
      pid: process.pid,
      account: accountName(),
      startedAt,
      version: VERSION,
      agent,
      tenant: tenantName,
      site: siteName,
      fingerprint: await fingerprint(parts.identity.publicJwk),
      ...readiness({
        channel: listener.state,
        locked: isLocked(),
        draining: isDraining(),
        journalWritable: journal.writable(),
      }),
      locked: isLocked(),
      draining: isDraining(),
      channel: listener.state,
      token: tokens.state,
      canary: liveness.state,
      policy: parts.policy.state(),
      gateway: accepts.gateway,
      sessions: { running: admission.running, most: parts.config.maxSessions, served: accepts.served },
      journal: head && { ...head, known: known.last },
      syslog: copied(),
      updates: parts.updates(),
    };
  };
}
