/**
 * What the executor asks of a connector, and what a connector is given. A connector knows one kind of system; it knows
 * nothing of relay, frames, credit or policy.
 */
import type { Warning } from "@sallyport/shared/protocol/warnings.ts";
import type { CheckedBatch } from "@sallyport/shared/rows/check.ts";
import type { RowBatch } from "@sallyport/shared/rows/columns.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import type { Masks } from "@sallyport/shared/schema/mask.ts";
import type { Limits, Operation, Plan } from "@sallyport/shared/schema/operations.ts";
import type { CallParameter } from "@sallyport/shared/schema/policy.ts";
import type { SqlCall, SqlWrite } from "@sallyport/shared/schema/write-operations.ts";

/** Where to connect and as whom. Address, database and TLS come from the owner's policy, never from the request. */
export interface Target {
  readonly connection: string;
  /** A SQL Server's may name an instance, `sql01\ERP`: the port is then that of its host's SQL Server Browser. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly tls: { readonly mode: "required" | "strict" | "trustAnyCertificate"; readonly caPem?: string };
  /** Refuse a login that could do everything there (`connection.over_privileged`). */
  readonly refuseOverPrivileged: boolean;
  readonly credential: { readonly user: string; readonly password: string; readonly signIn: string };
  /** Shown to the system's own administrator, so that a session can be found and ended there. */
  readonly requestId: string;
  /**
   * Told that the credential goes out now (before its first byte does), and that the system took it. What it takes for
   * a failed attempt depends on both, so a connector that signs in calls both.
   */
  readonly onLogin?: (step: "sent" | "accepted") => void;
}

/** What the owner's rule leaves of the request: what the connector may read, in the words of the policy. */
export type Grant =
  | {
      readonly kind: "table";
      readonly rule: string;
      /** What of the requested columns may be read. `*` = every column that the table has when it is read. */
      readonly columns: "*" | readonly string[];
      /** How columns are masked: in the executor, once they were read. None of them may be in a key, an order or a watermark. */
      readonly mask?: Masks;
      /** The rule names this very object. Without it only a base table may be read: a pattern never covers a view. */
      readonly named?: boolean;
    }
  | {
      readonly kind: "statement";
      readonly rule: string;
      readonly sql: string;
      /** Declared SQL type by parameter name. */
      readonly parameters: Readonly<Record<string, string>>;
      /** The exact columns, in order, that the statement may return. */
      readonly returns: readonly string[];
    }
  | { readonly kind: "raw"; readonly rule: string }
  | {
      readonly kind: "schema";
      readonly rule: string;
      /** Patterns of tables that may be shown, with the columns that may; the first that fits a table decides. */
      readonly shown: readonly {
        readonly tables: readonly string[];
        readonly columns: "*" | readonly string[];
        /** Those of them that leave masked. */
        readonly masked?: readonly string[];
      }[];
      /** Patterns of tables that are never shown. */
      readonly hidden: readonly string[];
    }
  | {
      readonly kind: "write";
      readonly rule: string;
      /** The rule names this very object; without it only a base table may be written. */
      readonly named: boolean;
      /** What rows are found by; empty for an insert. */
      readonly key: readonly string[];
      /** Where idempotency keys are kept. */
      readonly requestTable?: string;
    }
  | {
      readonly kind: "call";
      readonly rule: string;
      /** As the policy spells it. */
      readonly procedure: string;
      readonly parameters: Readonly<Record<string, CallParameter>>;
      /** The exact columns of each result set. */
      readonly returns: readonly (readonly string[])[];
      readonly effect: "read" | "write";
      readonly requestTable?: string;
    };

/** Rows that the other side sends to be written. */
export interface Input {
  /** The columns of the rows to come; waits for them. Called once, first. */
  columns(): Promise<readonly Column[]>;
  /** The next batch, checked, or undefined after the last one, once the other side said that it was the last. */
  next(): Promise<CheckedBatch | undefined>;
}

/** Where rows go. Every promise waits for as long as the other side grants no credit. */
export interface Output {
  /** Sends the schema and the plan; rows are then written into the batch it gives. Called once. */
  schema(columns: readonly Column[], plan: Plan): Promise<RowBatch>;
  /** Encodes and sends what the batch holds, and empties it. */
  flush(): Promise<void>;
  /**
   * States that exactly the rows flushed so far reach up to `position`. Nothing may be in the batch.
   * `stop`: the other side wants no more in this session; return with `complete: false`.
   */
  checkpoint(position: string): Promise<"continue" | "stop">;
  /** Sends what an operation without rows gives: one JSON value (frame 0x13), once. */
  result(value: unknown): Promise<void>;
}

export interface Outcome {
  /** Read up to the plan's end, or stopped before it. */
  readonly complete: boolean;
  /** The last position, where the source has any. */
  readonly position?: string;
  /** What is no error, but wants a person's eye. */
  readonly warnings?: readonly Warning[];
  /** Something was changed for good: it is told as such even where somebody cancelled meanwhile. */
  readonly committed?: true;
}

/** Serves one operation over one connection of its own, closed before it returns or throws a SallyportError. */
export type Connector = (
  target: Target,
  operation: Operation,
  grant: Grant,
  limits: Limits,
  output: Output,
  signal: AbortSignal,
) => Promise<Outcome>;

/**
 * The same for an operation that changes something. `request.cancelled`, or whatever else aborted the signal, is thrown
 * only where nothing was changed and the system said so; `write.outcome_unknown` where nobody can tell. What changes
 * something gives its result once that is committed, and not before.
 */
export type Writer = (
  target: Target,
  operation: SqlWrite | SqlCall,
  grant: Grant,
  limits: Limits,
  streams: { readonly input: Input; readonly output: Output },
  signal: AbortSignal,
) => Promise<Outcome>;
