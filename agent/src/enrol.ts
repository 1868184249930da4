/**
 * Enrolment (docs/protocol.md, "Enrolment"): the code authenticates both sides and is never sent. Keys and the exact request are
 * on the disk before anything is sent, so a lost answer costs nothing: the same bytes are sent again.
 */
import { hostname } from "node:os";
import { fromBase64url, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import {
  answerMac,
  codeKey,
  type EnrolmentCode,
  parseCode,
  requestMac,
  sameMac,
} from "@sallyport/shared/crypto/enrolment.ts";
import { generateSeededKey } from "@sallyport/shared/crypto/envelope.ts";
import { fingerprint, generateKeyPair, p256Jwk, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { signJws } from "@sallyport/shared/crypto/jws.ts";
import { isErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type EnrolAnswer, enrolAnswer, enrolBody, enrolRequest, sealedAnswer } from "@sallyport/shared/schema/api.ts";
import { z } from "zod";
import { originUrl } from "./config.ts";
import { refuseOpenKeys } from "./key-files.ts";
import { adoptNewKeys, findIdentity, loadIdentity, storeNewKeys } from "./keys.ts";
import { type Network, postJson } from "./origin.ts";
import { isListenUrl } from "./pinning.ts";
import { asOwnerOf } from "./regular-file.ts";
import { makeFolders, type Pinned, readTextIfAny, type StatePaths, writeFileDurably, writePinned } from "./state.ts";
import { VERSION } from "./version.ts";

const ENROL_PATH = "/api/agent/enrol";

/** Parses a typed code. @throws enrolment.mistyped, before anything is sent. */
export function readCode(typed: string): EnrolmentCode {
  const code = parseCode(typed);
  if (code === undefined) {
    throw new SallyportError("enrolment.mistyped", "The enrolment code's check symbol does not fit.");
  }
  return code;
}

/** @throws SallyportError settings.invalid for anything but `https://host[:port]`. */
export function readOrigin(typed: string): string {
  const parsed = originUrl.safeParse(typed.trim().replace(/\/+$/, ""));
  if (!parsed.success)
    throw new SallyportError(
      "settings.invalid",
      `The orchestrator's address is refused: ${parsed.error.issues[0]?.message}.`,
    );
  return parsed.data;
}

export interface Enrolled {
  readonly answer: EnrolAnswer;
  readonly agentFingerprint: string;
  readonly orchestratorFingerprints: readonly string[];
}

/**
 * Enrols and pins what the answer says, after its MAC was checked.
 * @throws enrolment.refused and other codes of the orchestrator; enrolment.intercepted when the answer was not made by
 *   whoever made the code; network.* when nobody answered.
 */
export async function enrol(
  origin: string,
  code: EnrolmentCode,
  paths: StatePaths,
  network: Network,
  signal: AbortSignal,
): Promise<Enrolled> {
  makeFolders(paths);
  refuseOpenKeys(paths);
  const request = repeatable(paths, code, origin) ?? (await newRequest(paths, code, origin));
  const { status, body } = await postJson(origin, ENROL_PATH, JSON.stringify(request), {}, network, signal);
  const answer = openAnswer(status, body, code, request);
  // Only now: a refusal must not cost an agent that works its keys.
  if (findIdentity(paths, publicXOf(request)) === "new") asOwnerOf(paths.keys, () => adoptNewKeys(paths));
  const identity = await loadIdentity(paths);
  const pinned: Pinned = {
    v: 1,
    agent: answer.agent,
    tenant: answer.tenant,
    tenantName: answer.tenantName,
    site: answer.site,
    siteName: answer.siteName,
    origin,
    relayHost: answer.relayHost,
    listenUrl: answer.listenUrl ?? null,
    keysSeq: answer.keysSeq,
    keys: answer.keys.map((key) => p256Jwk.parse(key)),
    settings: answer.settings,
  };
  writePinned(paths, pinned);
  return {
    answer,
    agentFingerprint: await fingerprint(identity.publicJwk),
    orchestratorFingerprints: await Promise.all(pinned.keys.map((key) => fingerprint(p256Jwk.parse(key)))),
  };
}

type EnrolRequest = z.infer<typeof enrolRequest>;
const storedEnrolment = z.strictObject({ origin: z.url(), request: enrolRequest });

/** The stored request, where the same code is used again at the same origin: it is sent as it was, to the byte. */
function repeatable(paths: StatePaths, code: EnrolmentCode, origin: string): EnrolRequest | undefined {
  const text = readTextIfAny(paths.enrolment);
  if (text === undefined) return undefined;
  const stored = storedEnrolment.safeParse(JSON.parse(text));
  if (!stored.success || stored.data.origin !== origin || stored.data.request.codeId !== code.codeId) return undefined;
  // A mistyped secret of the same code would have made another MAC: then a new request is due.
  const { body, mac } = stored.data.request;
  const bytes = fromBase64url(body);
  if (bytes === undefined || toBase64url(requestMac(codeKey(code.secret), bytes)) !== mac) return undefined;
  return findIdentity(paths, publicXOf(stored.data.request)) === undefined ? undefined : stored.data.request;
}

/** The public identity key in a request's body; undefined when it is none of ours. */
function publicXOf({ body }: EnrolRequest): unknown {
  const said = enrolBody.safeParse(JSON.parse(fromBase64url(body)?.toString("utf8") ?? "null"));
  return said.data?.identity.x;
}

async function newRequest(paths: StatePaths, code: EnrolmentCode, origin: string): Promise<EnrolRequest> {
  const identity = await generateKeyPair("EdDSA");
  const unseal = await generateSeededKey();
  const claims = {
    identity: identity.publicJwk,
    unseal: toBase64url(unseal.publicKey),
    origin,
    host: hostname().slice(0, 255),
    version: VERSION,
    time: new Date().toISOString(),
  };
  const proof = await signJws("enrol", claims, signerOf("EdDSA", identity));
  const bytes = utf8(JSON.stringify({ ...claims, proof }));
  const request: EnrolRequest = {
    codeId: code.codeId,
    body: toBase64url(bytes),
    mac: toBase64url(requestMac(codeKey(code.secret), bytes)),
  };
  asOwnerOf(paths.keys, () => {
    storeNewKeys(paths, identity, unseal);
    writeFileDurably(paths.enrolment, `${JSON.stringify({ origin, request })}\n`);
  });
  return request;
}

const problemCode = z.object({ code: z.string(), title: z.string().max(500).optional() });

function openAnswer(status: number, body: unknown, code: EnrolmentCode, request: EnrolRequest): EnrolAnswer {
  if (status !== 200) {
    const problem = problemCode.safeParse(body);
    const known = problem.success && isErrorCode(problem.data.code) ? problem.data.code : undefined;
    throw new SallyportError(
      known ?? "enrolment.refused",
      `The orchestrator answered ${status}${known === undefined ? ", and not in our words: is it the right address?" : "."}`,
    );
  }
  const sealed = sealedAnswer.safeParse(body);
  const requestBytes = fromBase64url(request.body);
  const answerBytes = sealed.success ? fromBase64url(sealed.data.body) : undefined;
  const mac = sealed.success ? fromBase64url(sealed.data.mac) : undefined;
  if (requestBytes === undefined || answerBytes === undefined || mac === undefined) throw intercepted();
  if (!sameMac(mac, answerMac(codeKey(code.secret), code.codeId, requestBytes, answerBytes))) throw intercepted();
  const parsed = enrolAnswer.safeParse(JSON.parse(answerBytes.toString("utf8")));
  if (!parsed.success)
    throw new SallyportError("protocol.version", "The orchestrator's answer does not fit this agent's version.");
  const { listenUrl } = parsed.data;
  if (listenUrl !== undefined && !isListenUrl(listenUrl, parsed.data)) {
    throw new SallyportError("protocol.version", "The orchestrator's answer names two different relays.");
  }
  return parsed.data;
}

const intercepted = (): SallyportError =>
  new SallyportError("enrolment.intercepted", "The answer was not made by whoever made the code; nothing was pinned.");
