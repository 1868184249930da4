/** Token requests: signed by the agent's identity, one signature a request (docs/protocol.md, "Listen token"). */
import { randomBytes } from "node:crypto";
import { sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { type Signer, signJws } from "@sallyport/shared/crypto/jws.ts";
import { type ErrorCode, isErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type TokenAnswer, tokenAnswer, tokenBody } from "@sallyport/shared/schema/api.ts";
import { z } from "zod";
import type { Clock } from "../clock.ts";
import { type Answer, type Network, postJson } from "../origin.ts";

export const TOKEN_PATH = "/api/agent/token";
const VALID_SECONDS = 60;
/** A listen token lives an hour at most (docs/protocol.md, "Listen token"). */
const LONGEST_LIFE_MS = 3600_000;
/**
 * The answer's times are not signed. However short a life they claim, the journal's `token` lines must not push older
 * ones out before their time: one in 5 s fills a gibibyte in 400 days.
 */
const SHORTEST_RENEWAL_MS = 5_000;
/** A clock that is further off has to be set; and nobody gets a signature for another year by saying that it is. */
const LARGEST_OFFSET_MS = 86_400_000;

/** What the orchestrator is told with each request. */
export type TokenReport = z.infer<typeof tokenBody>;

export interface TokenDeps {
  readonly origin: string;
  readonly agent: string;
  readonly signer: Signer;
  readonly network: Network;
  readonly clock: Clock;
}

/** A refusal is a value: `network.*` is a way out that may come back, another code is the orchestrator's word. */
export type TokenResult =
  | { readonly ok: true; readonly answer: TokenAnswer; readonly offsetMs: number }
  | { readonly ok: false; readonly code: ErrorCode; readonly why: string };

const refusal = z.object({
  code: z.string(),
  detail: z.string().max(2000).optional(),
  facts: z.object({ serverTime: z.iso.datetime().optional() }).loose().optional(),
  serverTime: z.iso.datetime().optional(),
});

/** Signs a request; `offsetMs` corrects this machine's clock for this one signature. */
export async function signTokenRequest(deps: TokenDeps, body: string, offsetMs: number): Promise<string> {
  const iat = Math.floor((deps.clock.wallMs() + offsetMs) / 1000);
  const claims = {
    iss: deps.agent,
    sub: deps.agent,
    aud: deps.origin,
    iat,
    exp: iat + VALID_SECONDS,
    jti: toBase64url(randomBytes(16)),
    method: "POST",
    path: TOKEN_PATH,
    body: toBase64url(sha256(utf8(body))),
  };
  return await signJws("token", claims, deps.signer);
}

/** Asks once; after `token.clock_skew` once more, with the server's clock for that signature only. */
export async function requestToken(deps: TokenDeps, report: TokenReport, signal: AbortSignal): Promise<TokenResult> {
  const body = JSON.stringify(tokenBody.parse(report));
  const ask = async (offsetMs: number): Promise<Answer> => {
    const jws = await signTokenRequest(deps, body, offsetMs);
    return await postJson(deps.origin, TOKEN_PATH, body, { authorization: `Bearer ${jws}` }, deps.network, signal);
  };
  try {
    const first = await ask(0);
    const offsetMs = clockOffset(first, deps.clock.wallMs());
    return offsetMs === undefined ? readAnswer(first, 0) : readAnswer(await ask(offsetMs), offsetMs);
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    return { ok: false, code: error.code, why: error.message };
  }
}

function clockOffset(answer: Answer, nowMs: number): number | undefined {
  const parsed = refusal.safeParse(answer.body);
  if (answer.status < 400 || !parsed.success || parsed.data.code !== "token.clock_skew") return undefined;
  const serverTime = parsed.data.serverTime ?? parsed.data.facts?.serverTime;
  if (serverTime === undefined) return undefined;
  const offsetMs = Date.parse(serverTime) - nowMs;
  return Math.abs(offsetMs) <= LARGEST_OFFSET_MS ? offsetMs : undefined;
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
