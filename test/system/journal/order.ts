/** Reads from a trace whether the journal's line was on the disk before a source was contacted. */
import { type Call, parseTrace, targetOf } from "../network/trace.ts";

/** What strace is told to record for this; with `-y` for paths, and enough bytes of each write to see a line's event. */
export const ORDER_CALLS = "connect,write,writev,pwrite64,fsync,fdatasync";
export const ORDER_OPTIONS: readonly string[] = ["-y", "-s", "200"];

export interface Order {
  /** Connections to the source that were looked at. */
  readonly contacts: number;
  /** One sentence for each that came too early. */
  readonly faults: readonly string[];
}

/**
 * Walks through the calls: between a `request` line that was written *and then* synced, and the `end` line after it, the
 * source may be contacted; at any other time it may not. Valid for a trace in which sessions follow each other.
 */
export function contactOrder(text: string, port: number): Order {
  const line = followLine();
  let contacts = 0;
  const faults: string[] = [];
  for (const entry of text.split("\n")) {
    const call = parseTrace(entry)[0];
    if (call?.name === "connect" && targetOf(call.rest)?.port === port) {
      contacts += 1;
      if (line.state !== "synced") faults.push(`contact ${contacts} came when the last request line was ${line.state}`);
    }
    line.follow(entry, call);
  }
  return { contacts, faults };
}

/** What became of the last `request` line: `none` also after its session's end. */
type LineState = "none" | "written" | "synced";

const RESUMED = /^(\d+)\s+<\.\.\. f(?:data)?sync resumed>\)\s+= 0$/;
const ON_JOURNAL = /^\d+<[^>]*\/journal\/[^>/]*\.jsonl>/;
const EVENT = /\\"event\\":\\"([a-z]+)\\"/;

function followLine(): { readonly state: LineState; follow(entry: string, call: Call | undefined): void } {
  let state: LineState = "none";
  const syncing = new Set<number>();
  const synced = () => {
    if (state === "written") state = "synced";
  };
  return {
    get state() {
      return state;
    },
    follow(entry, call) {
      const resumed = RESUMED.exec(entry);
      if (resumed !== null && syncing.delete(Number(resumed[1]))) synced();
      if (call === undefined || !ON_JOURNAL.test(call.rest)) return;
      const event = EVENT.exec(call.rest)?.[1];
      if (event === "request") state = "written";
      if (event === "end") state = "none";
      if (!/^f(data)?sync$/.test(call.name)) return;
      if (call.rest.includes("<unfinished")) syncing.add(call.pid);
      else if (/\)\s+= 0$/.test(call.rest)) synced();
    },
  };
}
