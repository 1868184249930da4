/** Two sockets joined through a gate: what goes in is cut into messages that can be stopped, what comes back can be withheld. */
import { once } from "node:events";
import type { Duplex } from "node:stream";
import type { Gate } from "../gate.ts";
import type { Seen } from "../seen.ts";

/** Takes whole messages from the start of a buffer: how long the first one is, and what it is; undefined while it is not whole. */
export type Cut = (bytes: Buffer) => { readonly length: number; readonly seen?: Seen | undefined } | undefined;

export interface Joined {
  readonly client: Duplex;
  readonly server: Duplex;
  readonly cut: Cut;
  /** Bytes of the server that answer nothing. */
  readonly isIdle?: (bytes: Buffer) => boolean;
  /** A request that has been forwarded already and whose reply is withheld. */
  readonly withheld?: Seen | undefined;
}

/** Passes bytes both ways until either end is gone, and ends the other. */
export async function join(joined: Joined, gate: Gate): Promise<void> {
  const { client, server, cut, isIdle = () => false } = joined;
  let withheld = joined.withheld;
  const dropAll = () => {
    client.destroy();
    server.destroy();
  };
  for (const end of [client, server]) end.on("error", dropAll).on("close", dropAll);

  async function forwards(): Promise<void> {
    let kept = Buffer.alloc(0);
    for await (const chunk of client) {
      kept = Buffer.concat([kept, chunk as Buffer]);
      for (let next = cut(kept); next; next = cut(kept)) {
        const message = kept.subarray(0, next.length);
        kept = kept.subarray(next.length);
        const fate = next.seen ? await gate.before(next.seen) : "go";
        if (fate === "drop") return dropAll();
        if (fate === "withhold") withheld = next.seen;
        await write(server, message);
      }
    }
  }

  async function backwards(): Promise<void> {
    for await (const chunk of server) {
      const bytes = chunk as Buffer;
      const seen = withheld;
      if (seen && !isIdle(bytes)) {
        withheld = undefined;
        if ((await gate.after(seen)) === "drop") return dropAll();
      }
      await write(client, bytes);
    }
  }

  await Promise.allSettled([forwards(), backwards()].map((way) => way.finally(dropAll)));
  if (withheld) await gate.after(withheld);
}

async function write(to: Duplex, bytes: Buffer): Promise<void> {
  if (!to.writable || to.write(bytes)) return;
  await Promise.race([once(to, "drain"), once(to, "close")]);
}
