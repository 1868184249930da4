/** What the agent asks its orchestrator for while it runs: listen tokens, and what was sent to it. */
import { type ErrorCode, isErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type TokenAnswer, tokenAnswer, tokenBody } from "@sallyport/shared/schema/api.ts";
import { type AgentHealth, agentHealth } from "@sallyport/shared/schema/liveness.ts";
import { z } from "zod";
import type { Answer } from "../origin.ts";
import { askSigned, type SignedDeps } from "./signed.ts";

const TOKEN_PATH = "/api/agent/token";
export const HEALTH_PATH = "/api/agent/health";
/** A listen token lives an hour at most (docs/protocol.md, "Listen token"). */
const LONGEST_LIFE_MS = 3600_000;
/**
 * The answer's times are not signed. However short a life they claim, the journal's `token` lines must not push older
 * ones out before their time: one in 5 s fills a gibibyte in 400 days.
 */
const SHORTEST_RENEWAL_MS = 5_000;

/** What the orchestrator is told with each request. */
export type TokenReport = z.infer<typeof tokenBody>;

/** A refusal is a value: `network.*` is a way out that may come back, another code is the orchestrator's word. */
export type TokenResult =
  | { readonly ok: true; readonly answer: TokenAnswer; readonly offsetMs: number }
  | { readonly ok: false; readonly code: ErrorCode; readonly why: string };

const refusal = z.object({ code: z.string(), detail: z.string().max(2000).optional() });

/** Asks once; after `token.clock_skew` once more, with the server's clock for that signature only. */
export async function requestToken(deps: SignedDeps, report: TokenReport, signal: AbortSignal): Promise<TokenResult> {
  const body = JSON.stringify(tokenBody.parse(report));
  try {
    const { answer, offsetMs } = await askSigned(deps, { method: "POST", path: TOKEN_PATH, body }, signal);
    return readAnswer(answer, offsetMs);
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    return { ok: false, code: error.code, why: error.message };
  }
}

/** What the orchestrator sent to this agent; undefined when it does not answer that. */
export async function requestHealth(deps: SignedDeps, signal: AbortSignal): Promise<AgentHealth | undefined> {
  try {
    const { answer } = await askSigned(deps, { method: "GET", path: HEALTH_PATH }, signal);
    return answer.status === 200 ? agentHealth.safeParse(answer.body).data : undefined;
  } catch (error) {
    if (error instanceof SallyportError) return undefined;
    throw error;
  }
}

function readAnswer({ status, body }: Answer, offsetMs: number): TokenResult {
  if (status === 200) {
    const parsed = tokenAnswer.safeParse(body);
    if (parsed.success && lifeMsOf(parsed.data) > LONGEST_LIFE_MS) {
      return { ok: false, code: "token.invalid", why: "the listen token claims to live longer than an hour" };
    }
    if (parsed.success) return { ok: true, answer: parsed.data, offsetMs };
    return {
      ok: false,
      code: "network.unreachable",
      why: "the origin answered 200 with what is no token: is it the right address?",
    };
  }
  const parsed = refusal.safeParse(body);
  if (parsed.success && isErrorCode(parsed.data.code)) {
    return { ok: false, code: parsed.data.code, why: printable(parsed.data.detail ?? "") };
  }
  return { ok: false, code: "network.unreachable", why: `the origin answered ${status}` };
}

const printable = (text: string): string => text.replace(/\p{Cc}/gu, " ").slice(0, 300);

/**
 * Milliseconds until a token is renewed: from `renewAfter` (half of its life) on, spread over a tenth of its life, so
 * that agents that started together do not renew together. Times are the server's, so only their differences count, and
 * they count between 5 s and an hour.
 */
export function renewInMs(answer: TokenAnswer, random: () => number): number {
  const lifeMs = lifeMsOf(answer);
  const dueMs = Math.min(lifeMs * 0.8, Math.max(0, Date.parse(answer.renewAfter) - Date.parse(answer.serverTime)));
  return Math.min(LONGEST_LIFE_MS, Math.max(SHORTEST_RENEWAL_MS, dueMs + random() * lifeMs * 0.1));
}

const lifeMsOf = ({ serverTime, expiresAt }: TokenAnswer): number =>
  Math.max(0, Date.parse(expiresAt) - Date.parse(serverTime));
