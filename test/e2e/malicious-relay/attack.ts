/** One row of a suite: which rule of docs/protocol.md it attacks, and what has to come of it. */
import type { World } from "./world.ts";

export interface Attack<W = World> {
  /** Number of a rule in docs/protocol.md. */
  readonly rule: `P${number}.${number}`;
  readonly name: string;
  run(world: W): Promise<void>;
}
