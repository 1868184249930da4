/** What became of a holder's write that was refused or not answered (docs/runs.md step 5). Pure. */
import type { Run } from "../store/runs.ts";

/** The claim that wrote, and the operation it wrote: the id is the operation's, the same in all its tries. */
export interface Writer {
  readonly fence: number;
  readonly holder: string;
  readonly opId: string;
}

/**
 * `lost`: another one holds the run: touch nothing more, whatever the opId says. `applied`: it was written.
 * `ended`: somebody ended the run. `again`: it was not written, and may be repeated with the ETag of this read.
 * `found`: the run as read after the write. The order of the tests is part of the protocol.
 */
export function whatBecame(found: Run | undefined, writer: Writer): "lost" | "applied" | "ended" | "again" {
  if (!found || found.fence !== writer.fence || found.holder !== writer.holder) return "lost";
  if (found.opId === writer.opId) return "applied";
  return found.state === "running" ? "again" : "ended";
}
