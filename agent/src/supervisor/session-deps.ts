/** What a session is offered by, and what it is given to be run with. */
import type { Signer } from "@sallyport/shared/crypto/jws.ts";
import type { AgentState } from "@sallyport/shared/schema/liveness.ts";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import type { Journal } from "../journal/journal.ts";
import type { UnsealKey } from "../keys.ts";
import type { MaskKey } from "../mask-key.ts";
import type { Network } from "../origin.ts";
import type { Pinned } from "../state.ts";
import type { ConnectionBudgets } from "./budgets.ts";
import type { Outgrown } from "./outgrown.ts";
import type { PolicySnapshot } from "./policy-source.ts";
import type { StartSignIn } from "./sign-in.ts";

export interface Offer {
  readonly address: string;
  readonly challenge: string;
  readonly ping: boolean;
}

export interface SessionDeps {
  readonly journal: Journal;
  readonly budgets: ConnectionBudgets;
  /** Ids of the requests that are running, of all sessions. */
  readonly running: Set<string>;
  readonly loginKey: string;
  readonly signer: Signer;
  readonly unsealKey: () => UnsealKey;
  readonly pinned: Pinned;
  readonly policy: PolicySnapshot;
  readonly network: Network;
  readonly maxSessions: number;
  /** Whether the owner's policy of this moment has it: `policy` is the one that the session began with. */
  readonly hasConnection: (name: string) => boolean;
  /** Resident bytes above which an executor is killed. */
  readonly memoryBytes: number;
  /** What a ping is answered with. */
  readonly state: AgentState;
  /** The site's mask key as this session begins. */
  readonly maskKey: MaskKey | undefined;
  /** Starts a sign-in child. */
  readonly startSignIn: StartSignIn;
  /** Runs of which a session outgrew its memory. */
  readonly outgrown: Outgrown;
  /** A request was opened: this agent is reached. */
  readonly heard: (request: string, ping: boolean) => void;
  readonly clock: Clock;
  readonly log: Logger;
}
