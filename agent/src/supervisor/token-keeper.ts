/** Keeps one valid listen token: asks, pins what the answer says, renews after half of its life, backs off on refusals. */
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import type { Logger } from "pino";
import { createBackoff } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import { acceptAnswer } from "../pinning.ts";
import type { Pinned } from "../state.ts";
import { renewInMs, type TokenResult } from "./tokens.ts";

export interface ListenToken {
  readonly listenUrl: string;
  readonly token: string;
}

export type TokenState =
  | { readonly state: "none"; readonly why: string }
  | {
      readonly state: "valid";
      readonly renewedAt: string;
      readonly expiresAt: string;
      /** The orchestrator's clock less this machine's, to within the time that the answer took. For display only. */
      readonly offsetMs: number;
    };

export interface TokenKeeper {
  /** The token, as soon as there is one. Rejects with the signal's reason. */
  current(signal: AbortSignal): Promise<ListenToken>;
  /** Asks now for what would be asked for later; the token in use stays until then. */
  askNow(): void;
  /** The relay refused the token: ask for another one now. */
  refresh(): void;
  readonly state: TokenState;
  /** Runs until the signal; never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

export interface KeeperDeps {
  readonly request: (signal: AbortSignal) => Promise<TokenResult>;
  readonly pinned: () => Pinned;
  /** Told what to pin from now on, and the thumbprints of orchestrator's keys that are new in it. */
  readonly store: (next: Pinned, newKids: readonly string[]) => void;
  /** Told of every new token; an open channel takes it without reconnecting. */
  readonly renewed: (token: ListenToken) => void;
  /** Told of each success and of the first refusal of a row, for the journal. */
  readonly note: (code: ErrorCode | undefined) => void;
  /** Told when the orchestrator says that this agent was revoked; once, until it gives a token again. */
  readonly revoked: () => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

export function createTokenKeeper(deps: KeeperDeps): TokenKeeper {
  const backoff = createBackoff(1_000, 60_000, deps.random);
  const loginBackoff = createBackoff(60_000, 900_000, deps.random);
  let token: ListenToken | undefined;
  let arrived = Promise.withResolvers<void>();
  let wake = new AbortController();
  let state: TokenState = { state: "none", why: "not asked yet" };
  let lastRefusal: string | undefined;
  let clockOffsetMs = 0;

  const refused = (code: ErrorCode, why: string): void => {
    state = { state: "none", why: code };
    if (code !== lastRefusal) {
      deps.log.warn({ code, why }, "no listen token");
      if (!code.startsWith("network.")) deps.note(code);
      if (code === "agent.revoked") deps.revoked();
    }
    lastRefusal = code;
  };

  /** A proxy's login may be an account of the domain, which too many tries would lock. */
  const waitMs = (code: ErrorCode): number =>
    code === "network.proxy_login" ? 60_000 + loginBackoff.nextMs() : backoff.nextMs();

  /** Told once each way: the agent works on, but the machine's clock decides `until` and `hours` of the policy. */
  const noteClock = (offsetMs: number): void => {
    if ((offsetMs === 0) === (clockOffsetMs === 0)) return;
    clockOffsetMs = offsetMs;
    if (offsetMs === 0) deps.log.info("this machine's clock agrees with the orchestrator's again");
    else {
      deps.log.error(
        { code: "token.clock_skew", offsetSeconds: Math.round(offsetMs / 1000) },
        "this machine's clock is off by more than 5 minutes: set it (signatures are corrected meanwhile)",
      );
    }
  };

  /** One request; answers the milliseconds to wait before the next one. */
  const ask = async (signal: AbortSignal): Promise<number> => {
    const result = await deps.request(signal);
    if (!result.ok) {
      refused(result.code, result.why);
      return waitMs(result.code);
    }
    const accepted = await acceptAnswer(deps.pinned(), result.answer);
    if (!accepted.ok) {
      refused("token.invalid", accepted.why);
      return backoff.nextMs();
    }
    if (accepted.changed) deps.store(accepted.pinned, accepted.newKids);
    const { listenUrl, token: text, expiresAt, serverTime } = result.answer;
    token = { listenUrl, token: text };
    const nowMs = deps.clock.wallMs();
    const offsetMs = Date.parse(serverTime) - nowMs;
    state = { state: "valid", renewedAt: new Date(nowMs).toISOString(), expiresAt, offsetMs };
    lastRefusal = undefined;
    backoff.reset();
    loginBackoff.reset();
    noteClock(result.offsetMs);
    deps.note(undefined);
    arrived.resolve();
    deps.renewed(token);
    return renewInMs(result.answer, deps.random);
  };

  return {
    get state() {
      return state;
    },
    async current(signal) {
      while (token === undefined) {
        const aborted = Promise.withResolvers<never>();
        const onAbort = (): void => aborted.reject(signal.reason);
        if (signal.aborted) throw signal.reason;
        signal.addEventListener("abort", onAbort, { once: true });
        await Promise.race([arrived.promise, aborted.promise]).finally(() =>
          signal.removeEventListener("abort", onAbort),
        );
      }
      return token;
    },
    askNow: () => wake.abort(),
    refresh() {
      if (token === undefined) return;
      token = undefined;
      arrived = Promise.withResolvers<void>();
      wake.abort();
    },
    async run(signal) {
      while (!signal.aborted) {
        wake = new AbortController();
        let waitMs: number;
        try {
          waitMs = await ask(signal);
        } catch (error) {
          if (signal.aborted) return;
          deps.log.error({ why: (error as Error).message }, "a token request failed");
          waitMs = backoff.nextMs();
        }
        await deps.clock.sleep(waitMs, AbortSignal.any([signal, wake.signal])).catch(() => {});
      }
    },
  };
}
