/** Listen tokens: an agent proves who it is with a short-lived signature and gets a SAS for its own path only. */
import { isDeepStrictEqual } from "node:util";
import { sha256, toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { publicKeyOf, verifyJws } from "@sallyport/shared/crypto/jws.ts";
import { parseJson } from "@sallyport/shared/json.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type TokenAnswer, tokenBody } from "@sallyport/shared/schema/api.ts";
import { randomId, sha256Text } from "@sallyport/shared/schema/ids.ts";
import type { AgentHealth } from "@sallyport/shared/schema/liveness.ts";
import { z } from "zod";
import { listenUrl, type SharedAccessRule, sharedAccessSignature } from "../relay.ts";
import { pathOf } from "./hybrid-connections.ts";
import type { RegisteredAgent } from "./registered.ts";
import { type RotationDeps, takeKeys } from "./rotation.ts";

/** Minutes that a listen token lives; renewed after half of them. */
const TOKEN_MINUTES = 30;
const SKEW_SECONDS = 300;
const MAX_LIFE_SECONDS = 60;
/** How long a `jti` is kept: longer than any token that could carry it is taken. */
export const JTI_MINUTES = 15;

const claims = z.object({
  iss: randomId,
  sub: randomId,
  aud: z.url(),
  iat: z.int(),
  exp: z.int(),
  jti: z
    .string()
    .min(16)
    .max(64)
    .regex(/^[A-Za-z0-9_-]+$/),
  method: z.string(),
  path: z.string(),
  body: sha256Text,
});

export type AgentReport = Omit<z.infer<typeof tokenBody>, "rotate" | "unseal" | "keysSeq">;

export interface TokenDeps extends RotationDeps {
  readonly listenRule: SharedAccessRule;
  readonly canarySeconds: number;
  keysStatement(): Promise<string>;
  /** Statements with a higher number than this, oldest first. */
  keyChainSince(seq: number): readonly string[];
  findByKid(kid: string): Promise<RegisteredAgent | undefined>;
  /** One atomic insert; false when it was there. */
  useJti(agent: string, jti: string): Promise<boolean>;
  /** Notes what the agent says of itself; its health is judged from it. Answers the line of its journal that is known. */
  report(agent: RegisteredAgent, report: AgentReport): Promise<AgentReport["journal"]>;
  now(): Date;
}

export interface AgentRequest {
  readonly authorization: string | null;
  readonly method: string;
  readonly path: string;
  readonly body: Uint8Array;
}

/** Who sent it. @throws token.invalid, token.replayed, token.clock_skew, agent.unknown, agent.revoked, agent.pending */
export async function authenticateAgent(deps: TokenDeps, request: AgentRequest): Promise<RegisteredAgent> {
  const compact = /^Bearer (.+)$/i.exec(request.authorization ?? "")?.[1] ?? "";
  let agent: RegisteredAgent | undefined;
  const kid = headerKid(compact);
  if (kid !== undefined) agent = await deps.findByKid(kid);
  if (agent === undefined) throw new SallyportError("agent.unknown", "No agent has this key.");
  const known = agent;
  const verified = await verifyJws(compact, { purpose: "token", alg: "EdDSA" }, (named) =>
    named === known.kid ? publicKeyOf(known.identity) : undefined,
  );
  if (!verified.ok) throw invalid(verified.reason);
  const parsed = claims.safeParse(parseJson(verified.payload));
  if (!parsed.success) throw invalid("claims");
  const claimed = parsed.data;
  const expected = {
    iss: known.id,
    sub: known.id,
    aud: deps.origin,
    method: request.method,
    path: request.path,
    body: toBase64url(sha256(request.body)),
  };
  const { iat, exp, jti, ...bound } = claimed;
  if (!isDeepStrictEqual(bound, expected)) throw invalid("claims");
  const nowSeconds = deps.now().getTime() / 1000;
  if (exp <= iat || exp - iat > MAX_LIFE_SECONDS) throw invalid("life");
  if (Math.abs(nowSeconds - iat) > SKEW_SECONDS) {
    throw new SallyportError("token.clock_skew", "The agent's clock is more than 5 minutes off.", {
      serverTime: deps.now().toISOString(),
    });
  }
  if (!(await deps.useJti(known.id, jti))) throw new SallyportError("token.replayed", "This signed token came before.");
  if (known.status === "revoked") throw new SallyportError("agent.revoked", "This agent was revoked.");
  if (known.status === "pending") throw new SallyportError("agent.pending", "This agent is not approved yet.");
  return known;
}

export async function issueToken(deps: TokenDeps, agent: RegisteredAgent, body: Uint8Array): Promise<TokenAnswer> {
  const parsed = tokenBody.safeParse(parseJson(body));
  if (!parsed.success) throw invalid("body");
  const { rotate, unseal, keysSeq, ...said } = parsed.data;
  const rotated = await takeKeys(deps, agent, { rotate, unseal });
  const journal = await deps.report(agent, said);
  const nowMs = deps.now().getTime();
  const expiresAtSeconds = Math.floor(nowMs / 1000) + TOKEN_MINUTES * 60;
  const path = pathOf(agent.id);
  return {
    listenUrl: listenUrl(deps.listenRule.host, path),
    token: sharedAccessSignature(deps.listenRule, path, expiresAtSeconds),
    expiresAt: new Date(expiresAtSeconds * 1000).toISOString(),
    renewAfter: new Date(nowMs + (TOKEN_MINUTES * 60_000) / 2).toISOString(),
    serverTime: new Date(nowMs).toISOString(),
    settings: { canarySeconds: deps.canarySeconds },
    journal,
    keys: await deps.keysStatement(),
    ...(keysSeq === undefined ? {} : { keyChain: [...deps.keyChainSince(keysSeq)] }),
    ...(rotated === undefined ? {} : { rotated }),
  };
}

/** What an agent that has heard nothing for a while is told: whether anything was sent. */
export const answerHealth = (agent: RegisteredAgent, now: Date): AgentHealth => ({
  serverTime: now.toISOString(),
  canary: agent.canary,
});

function headerKid(compact: string): string | undefined {
  const header = z
    .object({ kid: sha256Text })
    .safeParse(parseJson(Buffer.from(compact.split(".")[0] ?? "", "base64url")));
  return header.data?.kid;
}

const invalid = (reason: string) =>
  new SallyportError("token.invalid", "The agent's signature or its claims do not fit.", { reason });
