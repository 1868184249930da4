/** What supervisor and executor talk over: a pipe of their own, one JSON text a line. */
import type { Readable } from "node:stream";

/** The pipe's number in an executor, after the three that every process has. */
export const PIPE_FD = 3;

const LF = 0x0a;

/**
 * Hands on each whole line. A line above `maxBytes` ends the reading and is told of once: no more of it is held, which is
 * why this is not Node's own channel between processes.
 */
export function readLines(pipe: Readable, maxBytes: number, onLine: (text: string) => void, tooLong: () => void): void {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let done = false;
  pipe.on("data", (chunk: Buffer) => {
    for (let rest = chunk; rest.byteLength > 0 && !done; ) {
      const end = rest.indexOf(LF);
      const piece = end === -1 ? rest : rest.subarray(0, end);
      heldBytes += piece.byteLength;
      if (heldBytes > maxBytes) {
        done = true;
        held = [];
        tooLong();
        return;
      }
      held.push(piece);
      if (end === -1) return;
      rest = rest.subarray(end + 1);
      const line = Buffer.concat(held).toString("utf8");
      held = [];
      heldBytes = 0;
      onLine(line);
    }
  });
}

export const encodeLine = (message: object): string => `${JSON.stringify(message)}\n`;
