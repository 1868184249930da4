/** What the agent did since midnight UTC, counted from its journal's lines. Pure. */
import type { ReadLine } from "./read-line.ts";

export interface Today {
  /** By connection: sessions that a rule let in, and the bytes that they sent. */
  readonly connections: Readonly<Record<string, { readonly sessions: number; readonly bytes: number }>>;
  readonly denied: number;
}

/** @param lines in their order; those of other days are passed over */
export function todayOf(lines: Iterable<ReadLine>, nowMs: number): Today {
  const day = new Date(nowMs).toISOString().slice(0, 10);
  const connections = new Map<string, { sessions: number; bytes: number }>();
  let denied = 0;
  for (const line of lines) {
    if (!line.at.startsWith(day)) continue;
    if (line.event === "request" && line.decision === "deny") denied += 1;
    if (line.connection === undefined || line.decision === "deny") continue;
    const counted = connections.get(line.connection) ?? { sessions: 0, bytes: 0 };
    if (line.event === "request") counted.sessions += 1;
    // Of one that died nobody knows more than the most that it can have sent.
    if (line.event === "end") counted.bytes += line.bytesOut ?? line.bytesAtMost ?? 0;
    if (line.event === "request" || line.event === "end") connections.set(line.connection, counted);
  }
  return { connections: Object.fromEntries(connections), denied };
}
