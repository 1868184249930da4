/** Faults that a test switches on, each for the statements it names and as often as it says. */
import type { SqlErrorNumber } from "./values/errors.ts";

/** What goes wrong while rows are sent; `afterRows` counts the rows of the statement that were sent whole. */
export type RowFault =
  /** Waits `delayMs` after every `everyRows` rows. */
  | { readonly kind: "slowRows"; readonly everyRows: number; readonly delayMs: number }
  /** Sends half of the next row, then nothing more until the client cancels or leaves. */
  | { readonly kind: "stallInRow"; readonly afterRows: number }
  /** Ends the connection with a TCP reset. */
  | { readonly kind: "reset"; readonly afterRows: number }
  /** Fails with this error, for example 1205; with 0 rows before any. */
  | { readonly kind: "error"; readonly afterRows: number; readonly number: SqlErrorNumber }
  /** Sends a row token whose bytes do not add up: 0xff from there on. */
  | { readonly kind: "wrongLength"; readonly afterRows: number }
  /** Makes the text, or the bytes, of the row's first string or binary column this long. */
  | { readonly kind: "hugeValue"; readonly afterRows: number; readonly characters: number };

/** What goes wrong before a session stands. */
export type ConnectionFault =
  /** Closes the socket as soon as it is accepted. */
  | { readonly kind: "refuse" }
  /** Waits before LOGIN7 is answered. */
  | { readonly kind: "loginDelay"; readonly delayMs: number }
  /** Refuses the login with this error, for example 18486, whoever it is. */
  | { readonly kind: "loginError"; readonly number: SqlErrorNumber }
  /** Takes the login, and sends the client to another address, as Azure SQL's gateways do. */
  | { readonly kind: "route"; readonly host: string; readonly port: number }
  /** Shows another certificate. */
  | { readonly kind: "certificate"; readonly key: string; readonly cert: string };

export type Fault = RowFault | ConnectionFault;

export interface FaultOptions {
  /** Only statements that match; without it, every one. */
  readonly statement?: RegExp;
  /** How often it strikes; for ever when it is not given. */
  readonly times?: number;
}

export interface Faults {
  /** Switches a fault on; the result switches it off. */
  add(fault: Fault, options?: FaultOptions): () => void;
  clear(): void;
  /** The fault that strikes the statement, counted as one strike. */
  forStatement(text: string): RowFault | null;
  forConnection<K extends ConnectionFault["kind"]>(kind: K): Extract<ConnectionFault, { kind: K }> | null;
}

interface Entry {
  readonly fault: Fault;
  readonly statement: RegExp | null;
  left: number;
}

const CONNECTION_FAULTS: ReadonlySet<string> = new Set<ConnectionFault["kind"]>([
  "refuse",
  "loginDelay",
  "loginError",
  "route",
  "certificate",
]);
const isRowFault = (fault: Fault): fault is RowFault => !CONNECTION_FAULTS.has(fault.kind);

export function createFaults(): Faults {
  let entries: Entry[] = [];
  const strike = (entry: Entry | undefined): Fault | null => {
    if (entry === undefined) return null;
    entry.left--;
    entries = entries.filter((other) => other.left > 0);
    return entry.fault;
  };
  return {
    add(fault, options = {}) {
      const entry: Entry = {
        fault,
        statement: options.statement ?? null,
        left: options.times ?? Number.POSITIVE_INFINITY,
      };
      entries.push(entry);
      return () => {
        entries = entries.filter((other) => other !== entry);
      };
    },
    clear() {
      entries = [];
    },
    forStatement(text) {
      const matches = ({ fault, statement }: Entry): boolean => isRowFault(fault) && (statement?.test(text) ?? true);
      return strike(entries.find(matches)) as RowFault | null;
    },
    forConnection(kind) {
      return strike(entries.find(({ fault }) => fault.kind === kind)) as ReturnType<Faults["forConnection"]> as never;
    },
  };
}
