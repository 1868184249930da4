/** The agent's log where no system keeps it: lines as they come, a new file each so many bytes, the oldest ones gone. */
import { appendFileSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

export interface LogOptions {
  /** Of one file. */
  readonly maxBytes?: number;
  /** Together with the one that is written. */
  readonly maxFiles?: number;
}

export interface Log {
  write(bytes: Uint8Array): void;
}

const NAME = "agent.log";

/** Older ones are `agent.1.log`, `agent.2.log`… @throws where the folder cannot be made */
export function openLog(folder: string, { maxBytes = 10 * 2 ** 20, maxFiles = 5 }: LogOptions = {}): Log {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, NAME);
  const older = (age: number): string => (age === 0 ? file : join(folder, `agent.${age}.log`));
  let written = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  const turn = (): void => {
    rmSync(older(maxFiles - 1), { force: true });
    for (let age = maxFiles - 2; age >= 0; age -= 1) {
      if (statSync(older(age), { throwIfNoEntry: false }) !== undefined) renameSync(older(age), older(age + 1));
    }
    written = 0;
  };
  return {
    write(bytes) {
      try {
        if (written > 0 && written + bytes.length > maxBytes) turn();
        appendFileSync(file, bytes, { mode: 0o600 });
        written += bytes.length;
      } catch {
        // A full disk, or somebody who reads it with a lock: the agent itself goes on, and says so in its own way.
      }
    },
  };
}
