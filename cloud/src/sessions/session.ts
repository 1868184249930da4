/** What the rest of the orchestrator asks of a session, and what a session gives back. */
import type { ErrorCode, ErrorDetail } from "@sallyport/shared/protocol/errors.ts";
import type { Timings } from "@sallyport/shared/protocol/timings.ts";
import type { Warning } from "@sallyport/shared/protocol/warnings.ts";
import type { EncodedBatch } from "@sallyport/shared/rows/arrow.ts";
import type { ColumnView } from "@sallyport/shared/rows/layout.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import type { Limits, Operation, Plan } from "@sallyport/shared/schema/operations.ts";

export interface SessionRequest {
  readonly tenant: string;
  readonly connection: string;
  /** When the connection was made that it was asked of; left out where it may be whatever has the name now. */
  readonly connectionAt?: string;
  /** `pull:orders` or `key:sp_x`: who asks, as it stands in the agent's journal. */
  readonly caller: string;
  readonly pull?: string;
  readonly run?: string;
  /** 32 hex characters, new for each session; the agent's journal and the system's administrator see it. */
  readonly requestId: string;
  readonly operation: Operation;
  readonly limits: Limits;
  /** What the run's first session was hashed with: an agent with another mask key is asked for nothing. */
  readonly maskKey?: string;
  /** The rows of `sql.write`. */
  readonly input?: SessionInput;
}

/** Rows to be written. They are asked for as the agent takes them, and only once. */
export interface SessionInput {
  /** An encapsulated Arrow IPC schema message (`encodeSchema`). */
  readonly schema: Uint8Array;
  /** Record batch messages with their rows (`drainBatch`), each of at most a quarter of 4 MiB, but for a single row. */
  readonly batches: AsyncIterable<EncodedBatch> | Iterable<EncodedBatch>;
}

/**
 * Where a session's rows go. Each promise is the back-pressure: bytes are credited to the agent when it settles.
 * Everything given here was opened and checked: schema and batches are well-formed Arrow IPC messages.
 */
export interface Consumer {
  /**
   * Called by whoever opens the session, before the request is sealed: asks whether its agent may serve now, for somebody may
   * revoke it while it does. The question throws when the registry does not answer.
   */
  servedBy?(mayServe: () => Promise<boolean>): void;
  schema(schema: {
    /** The encapsulated Arrow IPC schema message as the agent encoded it. */
    readonly bytes: Uint8Array;
    readonly columns: readonly Column[];
    readonly plan: Plan;
    /** Digest of the agent's policy in this session's hello. */
    readonly policy: string;
    /** Id of the agent's mask key, from the same; null where it has none. */
    readonly maskKey: string | null;
    readonly agent: string;
  }): Promise<void>;
  /** One whole encapsulated record batch message, compressed as the agent encoded it. */
  batch(batch: {
    readonly bytes: Uint8Array;
    readonly rows: number;
    readonly decompressedBytes: number;
    /** The same, decompressed, in the schema's order. */
    readonly columns: readonly ColumnView[];
  }): Promise<void>;
  /** Rows and bytes count from the start of this session. `finish`: the claim is to be handed over, stop soon. */
  checkpoint(at: {
    readonly rows: number;
    readonly bytes: number;
    readonly position: string;
  }): Promise<"continue" | "finish">;
  /** What an operation gives beside rows, as JSON; left out where none is expected. */
  result?(bytes: Uint8Array): Promise<void>;
}

/** How a session ended. A normal refusal is a value, not a throw. */
export type SessionOutcome =
  | {
      readonly ok: true;
      readonly rows: number;
      readonly bytes: number;
      readonly batches: number;
      readonly position: string | null;
      readonly complete: boolean;
      readonly executedMs: number;
      readonly warnings?: readonly Warning[];
      /** When the agent did what, where it was asked and told. */
      readonly timings?: Timings | undefined;
    }
  | {
      readonly ok: false;
      readonly code: ErrorCode;
      readonly message: string;
      readonly detail: ErrorDetail;
      readonly timings?: Timings | undefined;
    };

/** Opens one session with a healthy agent of the connection's site, and drives it to its end. */
export type OpenSession = (request: SessionRequest, consumer: Consumer, signal: AbortSignal) => Promise<SessionOutcome>;
