/** For tests: a copy whose time passes only where something waits for a try. */
import { createSecureContext, type SecureContext } from "node:tls";
import type { Clock } from "../clock.ts";
import type { Channel } from "./channel.ts";
import { createSyslogCopy } from "./copy.ts";
import { framed } from "./message.ts";
import { openChannel } from "./open-channel.ts";
import { type SyslogTarget, targetText } from "./target.ts";

const NO_TRUST = createSecureContext();

/** For opening and for sending; no wait between tries is ever as long, to the millisecond. */
const DEADLINES_MS = [10_000, 30_000];

/** Time passes only where something waits for a try; each wait is told. */
function impatientClock(): Clock & { readonly waits: number[] } {
  const waits: number[] = [];
  return {
    waits,
    wallMs: () => 0,
    monotonicMs: () => performance.now(),
    sleep: (ms, signal) =>
      DEADLINES_MS.includes(ms)
        ? new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }))
        : new Promise((resolve) => {
            waits.push(ms);
            setImmediate(resolve);
          }),
  };
}

interface Told {
  readonly what: string;
  readonly facts: Record<string, unknown>;
}

interface CopyOptions {
  readonly trust?: SecureContext;
  readonly bufferBytes?: number;
  readonly open?: (signal: AbortSignal) => Promise<Channel>;
}

export function copyTo(target: SyslogTarget, options: CopyOptions = {}) {
  const { trust = NO_TRUST, bufferBytes = 2 ** 20 } = options;
  const told: Told[] = [];
  const stop = new AbortController();
  const note = (facts: Record<string, unknown>, what: string) => void told.push({ what, facts });
  const clock = impatientClock();
  const copy = createSyslogCopy({
    open: options.open ?? ((signal) => openChannel(target, trust, signal)),
    to: targetText(target),
    clock,
    random: () => 0.51,
    log: { info: note, warn: note } as never,
    bufferBytes,
  });
  const running = copy.run(stop.signal);
  const take = (seq: number, text = `message ${seq}`) => copy.take(seq, framed(Buffer.from(text), target.transport));
  return {
    ...{ copy, take, told, clock },
    async end() {
      stop.abort();
      await running;
    },
  };
}
