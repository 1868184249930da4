/**
 * A small orchestrator for the agent's tests: enrolment and tokens over HTTPS as docs/protocol.md says, written from the
 * shared building blocks only, with state in memory and faults on demand.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { listenUrl, sharedAccessSignature } from "@sallyport/cloud/src/relay.ts";
import { fromBase64url, sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import {
  answerMac,
  codeKey,
  drawCode,
  type EnrolmentCode,
  formatCode,
  requestMac,
} from "@sallyport/shared/crypto/enrolment.ts";
import { generateKeyPair, type KeyPair, signerOf, thumbprint } from "@sallyport/shared/crypto/identity.ts";
import { type JWK, publicKeyOf, type Signer, signJws, verifyJws } from "@sallyport/shared/crypto/jws.ts";
import { confirmRotation, type Rotation, verifyRotation } from "@sallyport/shared/crypto/rotation.ts";
import { parseJson } from "@sallyport/shared/json.ts";
import { ERRORS, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import {
  type EnrolAnswer,
  enrolBody,
  enrolRequest,
  type TokenAnswer,
  tokenBody,
} from "@sallyport/shared/schema/api.ts";
import type { SentCanary } from "@sallyport/shared/schema/liveness.ts";
import { z } from "zod";
import type { Certificate } from "../../emulators/tls/certificates.ts";

export interface RegisteredAgent {
  readonly id: string;
  readonly site: string;
  identity: JWK;
  kid: string;
  status: "active" | "pending" | "revoked";
}

export interface TestOrchestrator {
  readonly origin: string;
  readonly signer: Signer;
  /** The key pair behind it, for an orchestrator in a process of its own. */
  readonly signing: KeyPair;
  /** A fresh enrolment code. */
  code(autoApprove?: boolean): string;
  readonly agents: Map<string, RegisteredAgent>;
  /** Bodies of the token requests, newest last. */
  readonly reports: z.infer<typeof tokenBody>[];
  /** Changes the next answers; for what goes wrong on the way. `tokenSeconds`: how long a listen token lives. */
  readonly faults: {
    loseEnrolAnswers: number;
    swapEnrolAnswer: boolean;
    clockAheadMs: number;
    tokenSeconds: number;
    canarySeconds: number;
    /** Keys that it announces beside its own. */
    announced: JWK[];
    /** What it says that it sent to whoever asks. */
    newestCanary: (nowMs: number) => SentCanary | null;
    /** The line of the journal that it says it knows. */
    knownHead: (report: z.infer<typeof tokenBody>) => TokenAnswer["journal"];
  };
  /** Settles when an agent has asked for a token once more, whatever it was answered. */
  nextTokenRequest(): Promise<void>;
  close(): Promise<void>;
}

export interface RelayPlace {
  readonly host: string;
  readonly keyName: string;
  readonly key: string;
  createPath(path: string): void;
}

export const pathOf = (agent: string): string => `a-${agent}`;

interface Signed {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Buffer;
}

const SKEW_SECONDS = 300;
const claims = z.object({
  iss: z.string(),
  sub: z.string(),
  aud: z.string(),
  iat: z.int(),
  exp: z.int(),
  jti: z.string().min(16),
  method: z.string(),
  path: z.string(),
  body: z.string(),
});

export async function startOrchestrator(
  certificate: Certificate,
  name: string,
  relay: RelayPlace,
): Promise<TestOrchestrator> {
  const signing = await generateKeyPair("ES256");
  const signer = signerOf("ES256", signing);
  const agents = new Map<string, RegisteredAgent>();
  const codes = new Map<
    string,
    { code: EnrolmentCode; autoApprove: boolean; used?: { by: string; answer: unknown } }
  >();
  const reports: z.infer<typeof tokenBody>[] = [];
  const jtis = new Set<string>();
  const faults: TestOrchestrator["faults"] = {
    ...{ loseEnrolAnswers: 0, swapEnrolAnswer: false, clockAheadMs: 0, tokenSeconds: 1800, canarySeconds: 300 },
    announced: [],
    newestCanary: () => null,
    knownHead: () => undefined,
  };
  const waiting: (() => void)[] = [];
  const nowMs = (): number => Date.now() + faults.clockAheadMs;

  async function enrol(bytes: Buffer): Promise<unknown> {
    const request = enrolRequest.parse(parseJson(bytes));
    const issued = codes.get(request.codeId);
    const body = fromBase64url(request.body)!;
    if (issued === undefined) throw refused();
    const by = toBase64url(sha256(utf8(request.codeId), body, fromBase64url(request.mac)!));
    if (issued.used !== undefined) {
      if (issued.used.by !== by) throw refused();
      return issued.used.answer;
    }
    const key = codeKey(issued.code.secret);
    if (toBase64url(requestMac(key, body)) !== request.mac) throw refused();
    const { proof, ...said } = enrolBody.parse(parseJson(body));
    const kid = await thumbprint(said.identity);
    const verified = await verifyJws(proof, { purpose: "enrol", alg: "EdDSA" }, () => publicKeyOf(said.identity));
    if (!verified.ok || verified.payload.toString() !== JSON.stringify(said) || said.origin !== origin) throw refused();
    const id = randomBytes(16).toString("hex");
    const status = issued.autoApprove ? "active" : "pending";
    agents.set(id, { id, site: "oslo", identity: said.identity, kid, status });
    relay.createPath(pathOf(id));
    const answer: EnrolAnswer = {
      agent: id,
      tenant: "contoso",
      tenantName: "Contoso",
      site: "oslo",
      siteName: "Oslo",
      status,
      relayHost: relay.host,
      ...(status === "active" ? { listenUrl: listenUrl(relay.host, pathOf(id)) } : {}),
      keys: [{ ...signing.publicJwk }],
      keysSeq: 1,
      settings: { canarySeconds: 300 },
    };
    const answerBytes = utf8(JSON.stringify(answer));
    const mac = toBase64url(answerMac(key, request.codeId, body, answerBytes));
    issued.used = { by, answer: { body: toBase64url(answerBytes), mac } };
    return issued.used.answer;
  }

  async function authenticate({ method, path, authorization, body }: Signed): Promise<RegisteredAgent> {
    const jws = authorization?.replace(/^Bearer /, "") ?? "";
    let agent: RegisteredAgent | undefined;
    const verified = await verifyJws(jws, { purpose: "token", alg: "EdDSA" }, (kid) => {
      agent = [...agents.values()].find((each) => each.kid === kid);
      return agent && publicKeyOf(agent.identity);
    });
    if (!verified.ok || agent === undefined) throw new SallyportError("agent.unknown", "No agent has this key.");
    const { iat, exp, jti, ...bound } = claims.parse(parseJson(verified.payload));
    const expected = {
      iss: agent.id,
      sub: agent.id,
      aud: origin,
      method,
      path,
      body: toBase64url(sha256(body)),
    };
    if (JSON.stringify(bound) !== JSON.stringify(expected)) throw new SallyportError("token.invalid", "Claims differ.");
    if (Math.abs(nowMs() / 1000 - iat) > SKEW_SECONDS || exp - iat > 60) {
      const serverTime = new Date(nowMs()).toISOString();
      throw new SallyportError("token.clock_skew", "The clocks differ.", { serverTime });
    }
    if (jtis.has(jti)) throw new SallyportError("token.replayed", "It came before.");
    jtis.add(jti);
    if (method === "POST") reports.push(tokenBody.parse(parseJson(body)));
    if (agent.status === "revoked") throw new SallyportError("agent.revoked", "Revoked.");
    if (agent.status === "pending") throw new SallyportError("agent.pending", "Not approved yet.");
    return agent;
  }

  const keysNow = () => {
    const { announced } = faults;
    return { aud: origin, seq: 1 + announced.length, iat: 0, keys: [signing.publicJwk, ...announced] };
  };

  async function token(agent: RegisteredAgent, body: Buffer): Promise<TokenAnswer> {
    const rotated = await rotate(agent, tokenBody.parse(parseJson(body)).rotate);
    const expiresAtSeconds = Math.floor(Date.now() / 1000) + faults.tokenSeconds;
    return {
      listenUrl: listenUrl(relay.host, pathOf(agent.id)),
      token: sharedAccessSignature(relay, pathOf(agent.id), expiresAtSeconds),
      expiresAt: new Date(nowMs() + faults.tokenSeconds * 1000).toISOString(),
      renewAfter: new Date(nowMs() + faults.tokenSeconds * 500).toISOString(),
      serverTime: new Date(nowMs()).toISOString(),
      settings: { canarySeconds: faults.canarySeconds },
      journal: faults.knownHead(reports.at(-1)!),
      keys: await signJws("keys", keysNow(), signer),
      ...(rotated === undefined ? {} : { rotated }),
    };
  }

  /** The new key alone is valid from here on: an agent that had not adopted it would be found out. */
  async function rotate(agent: RegisteredAgent, said: Rotation | undefined): Promise<string | undefined> {
    if (said === undefined) return undefined;
    const next = await verifyRotation(said, { kid: agent.kid, key: publicKeyOf(agent.identity) });
    if (next === undefined) throw new SallyportError("token.invalid", "The rotation does not fit.");
    [agent.identity, agent.kid] = [next.said.to, next.kid];
    return await confirmRotation({ agent: agent.id, aud: origin, identity: next.kid }, signer);
  }

  async function answer(signed: Signed): Promise<unknown> {
    if (signed.path === "/api/agent/enrol") {
      const sealed = await enrol(signed.body);
      if (faults.loseEnrolAnswers-- > 0) throw new Error("lost on the way");
      return faults.swapEnrolAnswer ? { ...(sealed as object), mac: toBase64url(randomBytes(32)) } : sealed;
    }
    if (signed.path === "/api/health") return { status: "ok" };
    if (signed.path === "/api/agent/health") {
      await authenticate(signed);
      return { serverTime: new Date(nowMs()).toISOString(), canary: faults.newestCanary(nowMs()) };
    }
    try {
      return await token(await authenticate(signed), signed.body);
    } finally {
      for (const go of waiting.splice(0)) go();
    }
  }

  const server = createServer({ key: certificate.key, cert: certificate.cert }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url: path = "", headers } = request;
      answer({ method, path, authorization: headers.authorization, body: Buffer.concat(chunks) })
        .then((body) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body)))
        .catch((error: unknown) => {
          // Anything else is a connection that breaks before the answer.
          if (!(error instanceof SallyportError)) return request.socket.destroy();
          response.writeHead(ERRORS[error.code].http, { "content-type": "application/problem+json" });
          response.end(JSON.stringify({ code: error.code, detail: error.message, facts: error.detail }));
        });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `https://${name}:${(server.address() as AddressInfo).port}`;

  return {
    origin,
    signer,
    signing,
    agents,
    reports,
    faults,
    code(autoApprove = true) {
      const code = drawCode();
      codes.set(code.codeId, { code, autoApprove });
      return formatCode(code);
    },
    nextTokenRequest: () => new Promise((resolve) => waiting.push(resolve)),
    close: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const refused = (): SallyportError => new SallyportError("enrolment.refused", "The code or the request is not valid.");
