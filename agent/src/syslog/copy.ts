/**
 * Copies journal lines to a syslog server, in their order, and never in the journal's way: lines wait in a bounded buffer
 * while the server is away, the oldest make room, and how many were lost is told when it is back.
 */
import type { Logger } from "pino";
import { createBackoff } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import type { Channel } from "./channel.ts";

/** About a thousand sessions. */
const BUFFER_BYTES = 1024 * 1024;
const OPEN_WITHIN_MS = 10_000;
/** A peer that takes nothing for so long is away, whatever its socket says. */
const SEND_WITHIN_MS = 30_000;

export interface SyslogCopy {
  /** Takes one framed message; neither waits nor throws. `seq`: the line's number. */
  take(seq: number, message: Buffer): void;
  readonly state: { readonly connected: boolean; readonly waiting: number; readonly dropped: number };
  /** Runs until the signal; never rejects. */
  run(signal: AbortSignal): Promise<void>;
  /** Settles when nothing waits any more. */
  drained(): Promise<void>;
}

export interface CopyDeps {
  /** @throws whatever went wrong; its message goes to the log. */
  readonly open: (signal: AbortSignal) => Promise<Channel>;
  /** As the log names it. */
  readonly to: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly bufferBytes?: number;
}

interface Waiting {
  readonly seq: number;
  readonly message: Buffer;
}

export function createSyslogCopy(deps: CopyDeps): SyslogCopy {
  const { to, clock, log, bufferBytes = BUFFER_BYTES } = deps;
  const backoff = createBackoff(1_000, 60_000, deps.random);
  const queue: Waiting[] = [];
  let bytes = 0;
  let dropped = 0;
  let lost = { count: 0, firstSeq: 0, lastSeq: 0 };
  let channel: Channel | undefined;
  let away = false;
  let came = Promise.withResolvers<void>();
  let empty = Promise.withResolvers<void>();
  empty.resolve();

  const leave = (): Waiting | undefined => {
    const first = queue.shift();
    bytes -= first?.message.byteLength ?? 0;
    if (queue.length === 0) empty.resolve();
    return first;
  };

  const drop = ({ seq }: Waiting): void => {
    dropped += 1;
    if (lost.count === 0) {
      log.warn({ to, firstSeq: seq }, "the syslog server is away for too long: lines of the journal are not copied");
    }
    lost = { count: lost.count + 1, firstSeq: lost.count === 0 ? seq : lost.firstSeq, lastSeq: seq };
  };

  const tellLost = (): void => {
    if (lost.count > 0) log.warn({ to, ...lost }, "lines of the journal that were not copied; the journal has them");
    lost = { count: 0, firstSeq: 0, lastSeq: 0 };
  };

  const failed = (error: unknown): void => {
    channel?.close();
    channel = undefined;
    if (!away) log.warn({ to, why: (error as Error).message }, "the syslog server is away; lines wait for it");
    away = true;
  };

  const open = async (signal: AbortSignal): Promise<Channel> => {
    const opening = (until: AbortSignal): Promise<Channel> => {
      const late = deps.open(until);
      // A name that is looked up cannot be told to stop: what comes after all is closed.
      until.addEventListener("abort", () => late.then((each) => each.close()).catch(() => {}), { once: true });
      return late;
    };
    const opened = await within(opening, OPEN_WITHIN_MS, clock, signal);
    void opened.closed.then(() => {
      if (channel === opened) channel = undefined;
    });
    if (away) log.info({ to }, "the syslog server is back");
    away = false;
    return opened;
  };

  /** Sends what waits first; it leaves the buffer once the system has it. */
  const sendOne = async (signal: AbortSignal): Promise<void> => {
    channel ??= await open(signal);
    const by = channel;
    const first = queue[0];
    if (first === undefined) return;
    await within(() => by.send(first.message), SEND_WITHIN_MS, clock, signal);
    if (queue[0] === first) leave();
    backoff.reset();
    tellLost();
  };

  return {
    get state() {
      return { connected: channel !== undefined, waiting: queue.length, dropped };
    },
    take(seq, message) {
      if (queue.length === 0) empty = Promise.withResolvers<void>();
      queue.push({ seq, message });
      bytes += message.byteLength;
      while (bytes > bufferBytes) drop(leave()!);
      came.resolve();
    },
    drained: () => empty.promise,
    async run(signal) {
      const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      while (!signal.aborted) {
        if (queue.length === 0) {
          came = Promise.withResolvers<void>();
          await Promise.race([came.promise, aborted]);
          continue;
        }
        try {
          await sendOne(signal);
        } catch (error) {
          if (signal.aborted) break;
          failed(error);
          await clock.sleep(backoff.nextMs(), signal).catch(() => {});
        }
      }
      channel?.close();
      tellLost();
    },
  };
}

/** @throws the signal's reason, or an error when it takes longer. */
async function within<T>(
  act: (signal: AbortSignal) => Promise<T>,
  ms: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<T> {
  const done = new AbortController();
  const until = new AbortController();
  const stopped = Promise.withResolvers<never>();
  until.signal.addEventListener("abort", () => stopped.reject(until.signal.reason), { once: true });
  // Not by AbortSignal.any: `signal` lives as long as the agent, and would keep every one that was made of it.
  const stop = (): void => until.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  clock.sleep(ms, done.signal).then(
    () => until.abort(new Error("it took too long")),
    () => {},
  );
  try {
    return await Promise.race([act(until.signal), stopped.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
    done.abort();
  }
}
