/** Keeps the control channel up: reconnects with backoff, takes renewed tokens, replaces the channel before its daily end. */
import type { Logger } from "pino";
import { createBackoff } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import type { Network } from "../origin.ts";
import { type ControlChannel, type Down, type OpenSocket, openChannel } from "./channel.ts";
import { type ControlAction, onControlMessage, renewTokenFrame } from "./control-message.ts";
import type { TokenKeeper } from "./token-keeper.ts";

/** Only a channel that stayed up so long makes the next failure a first one. */
const STABLE_MS = 60_000;
/** The service recycles every listener after 24 hours; a second channel is opened before that. */
const RECYCLE_MS = 23 * 3600_000;
/** A replacement that did not come up is tried again until the service's own end of the day. */
const RECYCLE_AGAIN_MS = 300_000;
/** No such path: somebody deleted it, and asking often costs money. */
const NOT_FOUND_MS = 60_000;

export type ChannelState =
  | { readonly state: "online"; readonly since: string }
  | { readonly state: "offline"; readonly why: string };

export type Accepted = Extract<ControlAction, { do: "accept" }>;

export interface ListenerDeps {
  readonly open: OpenSocket;
  readonly tokens: TokenKeeper;
  readonly network: Network;
  readonly onAccept: (accept: Accepted) => void;
  /** Told when the channel came up or went down. */
  readonly onState: () => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

export interface Listener {
  readonly state: ChannelState;
  /** Hands a renewed token to the open channel. */
  renew(token: string): void;
  /** Ends the open channel, as if it had broken, and opens another with a fresh token. */
  rebuild(): void;
  /** Runs until the signal; never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

export function createListener(deps: ListenerDeps): Listener {
  const { clock, log } = deps;
  const backoff = createBackoff(1_000, 60_000, deps.random);
  let channel: ControlChannel | undefined;
  let state: ChannelState = { state: "offline", why: "not connected yet" };

  // A throw would leave a socket's event handler and end the agent, with every session: no message may do that.
  const onText = (from: () => ControlChannel) => (text: string) => {
    try {
      const action = onControlMessage(text);
      if (action.do === "accept") deps.onAccept(action);
      else if (action.do === "answer") from().send(action.frame);
      else log.warn({ why: action.why }, "a control message was ignored");
    } catch (error) {
      log.error({ why: (error as Error).message }, "a control message could not be served");
    }
  };

  const connect = async (signal: AbortSignal): Promise<ControlChannel> => {
    const { listenUrl, token } = await deps.tokens.current(signal);
    const next: ControlChannel = openChannel(
      deps.open,
      { listenUrl, token, network: deps.network },
      onText(() => next),
      clock,
    );
    return next;
  };

  /** A channel beside the one that is open; undefined when it does not come up, or the other one ends first. */
  const openBeside = async (current: ControlChannel, signal: AbortSignal): Promise<ControlChannel | undefined> => {
    const over = new AbortController();
    void current.down.then(() => over.abort());
    const next = await connect(AbortSignal.any([signal, over.signal])).catch(() => undefined);
    if (next === undefined) return undefined;
    const first = await Promise.race([next.opened, current.down.then(() => false)]);
    if (first && !signal.aborted) return next;
    next.close();
    return undefined;
  };

  /** Follows one channel to its end, replacing it once a day; answers why the last one ended. */
  const follow = async (first: ControlChannel, signal: AbortSignal): Promise<Down> => {
    channel = first;
    let waitMs = RECYCLE_MS * (1 - deps.random() / 24);
    for (;;) {
      const current = channel;
      const due = new AbortController();
      const recycle = clock.sleep(waitMs, AbortSignal.any([signal, due.signal])).then(
        () => "recycle" as const,
        () => new Promise<never>(() => {}),
      );
      const event = await Promise.race([current.down, recycle]);
      due.abort();
      if (event !== "recycle") return event;
      const next = await openBeside(current, signal);
      if (next === undefined) {
        waitMs = RECYCLE_AGAIN_MS;
        continue;
      }
      channel = next;
      current.close();
      waitMs = RECYCLE_MS * (1 - deps.random() / 24);
      state = { state: "online", since: new Date(clock.wallMs()).toISOString() };
      log.info("the control channel was replaced before its daily end");
    }
  };

  const pause = async (down: Down, onlineMs: number, signal: AbortSignal): Promise<void> => {
    if (onlineMs >= STABLE_MS) backoff.reset();
    let waitMs = backoff.nextMs();
    if (isTokenRefused(down)) deps.tokens.refresh();
    if (down.kind === "refused" && down.status === 404) {
      waitMs = NOT_FOUND_MS;
      log.error("the relay knows no such hybrid connection: was this agent revoked? trying again every minute");
      // The orchestrator knows; a token that is still valid would keep us from asking.
      deps.tokens.refresh();
    }
    await clock.sleep(waitMs, signal).catch(() => {});
  };

  return {
    get state() {
      return state;
    },
    renew: (token) => channel?.send(renewTokenFrame(token)),
    rebuild() {
      deps.tokens.refresh();
      channel?.close();
    },
    async run(signal) {
      const onAbort = (): void => channel?.close();
      signal.addEventListener("abort", onAbort);
      while (!signal.aborted) {
        const opened = await connect(signal).catch(() => undefined);
        if (opened === undefined) return;
        channel = opened;
        if (signal.aborted) opened.close();
        const isOpen = await opened.opened;
        const sinceMs = clock.monotonicMs();
        if (isOpen) {
          state = { state: "online", since: new Date(clock.wallMs()).toISOString() };
          log.info("control channel online");
          deps.onState();
        }
        const down = await follow(opened, signal);
        if (signal.aborted) return;
        state = { state: "offline", why: describe(down) };
        deps.onState();
        log.warn({ down }, "control channel down");
        await pause(down, isOpen ? clock.monotonicMs() - sinceMs : 0, signal);
      }
    },
  };
}

const isTokenRefused = (down: Down): boolean =>
  down.kind === "refused" ? down.status === 401 || down.status === 403 : down.kind === "closed" && down.code === 1008;

function describe(down: Down): string {
  switch (down.kind) {
    case "refused":
      return `refused with ${down.status}`;
    case "closed":
      return `closed with ${down.code}`;
    case "failed":
      return down.why;
    default:
      return down satisfies never;
  }
}
