/**
 * Enrolment: a code that authenticates both sides and is never sent. What arrives is MACed with the code's key, and so is
 * the answer; a proxy that reads everything learns nothing with which it could swap a key.
 */
import { isDeepStrictEqual } from "node:util";
import { fromBase64url, sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { answerMac, codeKey, drawCode, formatCode, requestMac, sameMac } from "@sallyport/shared/crypto/enrolment.ts";
import { ed25519Jwk, thumbprint } from "@sallyport/shared/crypto/identity.ts";
import { type JWK, publicKeyOf, verifyJws } from "@sallyport/shared/crypto/jws.ts";
import { PUBLIC_KEY_BYTES } from "@sallyport/shared/crypto/kem.ts";
import { parseJson } from "@sallyport/shared/json.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type EnrolAnswer, enrolBody, type enrolRequest, type sealedAnswer } from "@sallyport/shared/schema/api.ts";
import type { z } from "zod";
import { listenUrl } from "../relay.ts";
import { pathOf } from "./hybrid-connections.ts";

/** Minutes for which a code can be used. */
const CODE_MINUTES = 15;

export interface Code {
  readonly codeId: string;
  readonly tenant: string;
  readonly site: string;
  readonly autoApprove: boolean;
  readonly expiresAt: string;
  /** SHA-256 of the request that used the code, the agent it let in, and the complete answer to it. */
  readonly usedBy: string | null;
  readonly agent: string | null;
  readonly answer: z.infer<typeof sealedAnswer> | null;
}

/** What one use writes into the code's record; its key is dropped with it. */
export interface CodeUse {
  readonly usedBy: string;
  readonly agent: string;
  readonly answer: z.infer<typeof sealedAnswer>;
}

export interface NewAgent {
  readonly id: string;
  readonly tenant: string;
  readonly site: string;
  readonly status: "active" | "pending";
  readonly identity: JWK;
  readonly kid: string;
  readonly unseal: string;
  /** The code that let it in. */
  readonly codeId: string;
  readonly host: string;
  readonly version: string;
  readonly enrolledAt: string;
  /** What it pins. */
  readonly origin?: string;
  readonly relayHost?: string;
}

export interface EnrolmentDeps {
  readonly origin: string;
  readonly relayHost: string;
  readonly canarySeconds: number;
  readonly keys: readonly JWK[];
  /** Number of the statement of these keys. */
  readonly keysSeq: number;
  /** Stores the code and, encrypted, its key. */
  insertCode(code: Code, key: Uint8Array, by: string): Promise<void>;
  /** The code, its key, and one ETag-guarded use of it: false when somebody was quicker. */
  findCode(
    codeId: string,
  ): Promise<{ code: Code; key(): Promise<Uint8Array>; use(change: CodeUse): Promise<boolean> } | undefined>;
  namesOf(tenant: string, site: string): Promise<{ tenantName: string; siteName: string }>;
  /** Whether the agent has its record: the last step of an enrolment. */
  isRegistered(agent: NewAgent): Promise<boolean>;
  /** Makes the agent's record, or leaves it as it is. */
  insertAgent(agent: NewAgent): Promise<void>;
  /** Makes the agent's hybrid connection, or leaves it as it is. */
  createPath(path: string): Promise<void>;
  now(): Date;
  random(bytes: number): Buffer;
}

/** Makes a code for a site. The code itself is shown once; only its id and, encrypted, its key are kept. */
export async function createCode(
  deps: EnrolmentDeps,
  tenant: string,
  site: string,
  autoApprove: boolean,
  by: string,
): Promise<{ code: string; expiresAt: string }> {
  await deps.namesOf(tenant, site);
  const drawn = drawCode();
  const expiresAt = new Date(deps.now().getTime() + CODE_MINUTES * 60_000).toISOString();
  const code = { codeId: drawn.codeId, tenant, site, autoApprove, expiresAt, usedBy: null, agent: null, answer: null };
  await deps.insertCode(code, codeKey(drawn.secret), by);
  return { code: formatCode(drawn), expiresAt };
}

/**
 * Answers an enrolment request. The use of the code comes first: of two requests one gets it. What follows is a redo
 * that the identical request repeats, and gets the stored answer again: a lost answer or a lost process burns nothing.
 * @throws enrolment.refused, which never says what was wrong; storage.failed
 */
export async function enrol(
  deps: EnrolmentDeps,
  request: z.infer<typeof enrolRequest>,
): Promise<z.infer<typeof sealedAnswer>> {
  const found = await deps.findCode(request.codeId);
  const body = fromBase64url(request.body);
  const mac = fromBase64url(request.mac);
  if (found === undefined || body === undefined || mac === undefined) throw refused();
  if (Date.parse(found.code.expiresAt) <= deps.now().getTime()) throw refused();
  const fingerprint = toBase64url(sha256(utf8(request.codeId), body, mac));
  if (found.code.usedBy !== null) {
    const { usedBy, agent, answer } = found.code;
    if (usedBy !== fingerprint || agent === null || answer === null) throw refused();
    await register(deps, await newAgent(deps, found.code, body, agent));
    return answer;
  }
  const key = await found.key();
  if (!sameMac(requestMac(key, body), mac)) throw refused();

  const agent = await newAgent(deps, found.code, body, deps.random(16).toString("hex"));
  const answerBytes = utf8(JSON.stringify(await answerFor(deps, agent)));
  const answer = {
    body: toBase64url(answerBytes),
    mac: toBase64url(answerMac(key, request.codeId, body, answerBytes)),
  };
  // Somebody used the code meanwhile: refused, unless it was this very request.
  if (!(await found.use({ usedBy: fingerprint, agent: agent.id, answer }))) return enrol(deps, request);
  await register(deps, agent);
  return answer;
}

/** An agent that has its record is left as it is, so that a repeat does not bring a revoked one back. */
async function register(deps: EnrolmentDeps, agent: NewAgent): Promise<void> {
  if (await deps.isRegistered(agent)) return;
  await deps.createPath(pathOf(agent.id));
  await deps.insertAgent(agent);
}

/** Checks what the request says: the keys are well-formed, and the identity key signed all of it for this origin. */
async function newAgent(deps: EnrolmentDeps, code: Code, bytes: Uint8Array, id: string): Promise<NewAgent> {
  const json = parseJson(bytes);
  const parsed = enrolBody.safeParse(json);
  const identity = ed25519Jwk.safeParse(parsed.data?.identity);
  if (!parsed.success || !identity.success) throw refused();
  const { proof, ...signed } = json as z.infer<typeof enrolBody>; // with fields of later versions: all of it is signed
  const kid = await thumbprint(identity.data);
  const verified = await verifyJws(proof, { purpose: "enrol", alg: "EdDSA" }, (claimed) =>
    claimed === kid ? publicKeyOf(identity.data) : undefined,
  );
  if (!verified.ok || !isDeepStrictEqual(parseJson(verified.payload), signed)) throw refused();
  if (signed.origin !== deps.origin || fromBase64url(signed.unseal)?.byteLength !== PUBLIC_KEY_BYTES) throw refused();
  return {
    id,
    tenant: code.tenant,
    site: code.site,
    status: code.autoApprove ? "active" : "pending",
    identity: identity.data,
    kid,
    unseal: signed.unseal,
    codeId: code.codeId,
    host: signed.host,
    version: signed.version,
    enrolledAt: deps.now().toISOString(),
    origin: deps.origin,
    relayHost: deps.relayHost,
  };
}

async function answerFor(deps: EnrolmentDeps, agent: NewAgent): Promise<EnrolAnswer> {
  const names = await deps.namesOf(agent.tenant, agent.site);
  return {
    agent: agent.id,
    tenant: agent.tenant,
    tenantName: names.tenantName,
    site: agent.site,
    siteName: names.siteName,
    status: agent.status,
    relayHost: deps.relayHost,
    ...(agent.status === "active" ? { listenUrl: listenUrl(deps.relayHost, pathOf(agent.id)) } : {}),
    keys: [...deps.keys] as Record<string, unknown>[],
    keysSeq: deps.keysSeq,
    settings: { canarySeconds: deps.canarySeconds },
  };
}

const refused = () => new SallyportError("enrolment.refused", "The code or the request with it is not valid.");
