/** Calls to the orchestrator that the agent's identity signs, one signature a call (docs/protocol.md, "Listen token"). */
import { randomBytes } from "node:crypto";
import { sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { type Signer, signJws } from "@sallyport/shared/crypto/jws.ts";
import { z } from "zod";
import type { Clock } from "../clock.ts";
import { type Answer, callJson, type Network } from "../origin.ts";

const VALID_SECONDS = 60;
/** A clock that is further off has to be set; and nobody gets a signature for another year by saying that it is. */
const LARGEST_OFFSET_MS = 86_400_000;

export interface SignedDeps {
  readonly origin: string;
  readonly agent: string;
  readonly signer: Signer;
  readonly network: Network;
  readonly clock: Clock;
}

/** `body`: already encoded; left out for a GET. */
export interface SignedCall {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: string;
}

/**
 * Asks once; after `token.clock_skew` once more, with the server's clock for that signature only. `offsetMs`: by how much
 * the clock was corrected. @throws network.*
 */
export async function askSigned(
  deps: SignedDeps,
  call: SignedCall,
  signal: AbortSignal,
): Promise<{ readonly answer: Answer; readonly offsetMs: number }> {
  const ask = async (offsetMs: number): Promise<Answer> => {
    const headers = { authorization: `Bearer ${await signCall(deps, call, offsetMs)}` };
    return await callJson(deps.origin, { ...call, headers }, deps.network, signal);
  };
  const first = await ask(0);
  const offsetMs = clockOffset(first, deps.clock.wallMs());
  return offsetMs === undefined ? { answer: first, offsetMs: 0 } : { answer: await ask(offsetMs), offsetMs };
}

/** The header that says who calls. `offsetMs` corrects this machine's clock for this one signature. */
export async function signCall(
  deps: Omit<SignedDeps, "network">,
  { method, path, body = "" }: SignedCall,
  offsetMs: number,
): Promise<string> {
  const iat = Math.floor((deps.clock.wallMs() + offsetMs) / 1000);
  const claims = {
    iss: deps.agent,
    sub: deps.agent,
    aud: deps.origin,
    iat,
    exp: iat + VALID_SECONDS,
    jti: toBase64url(randomBytes(16)),
    method,
    path,
    body: toBase64url(sha256(utf8(body))),
  };
  return await signJws("token", claims, deps.signer);
}

const skewed = z.object({
  code: z.literal("token.clock_skew"),
  facts: z.object({ serverTime: z.iso.datetime().optional() }).loose().optional(),
  serverTime: z.iso.datetime().optional(),
});

function clockOffset(answer: Answer, nowMs: number): number | undefined {
  const parsed = skewed.safeParse(answer.body);
  if (answer.status < 400 || !parsed.success) return undefined;
  const serverTime = parsed.data.serverTime ?? parsed.data.facts?.serverTime;
  if (serverTime === undefined) return undefined;
  const offsetMs = Date.parse(serverTime) - nowMs;
  return Math.abs(offsetMs) <= LARGEST_OFFSET_MS ? offsetMs : undefined;
}
