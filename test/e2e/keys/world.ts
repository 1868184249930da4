/** The orchestrator's own routes for agents over HTTPS, an agent's own key keeping, and one clock for both. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import type { Clock } from "@sallyport/agent/src/clock.ts";
import { enrol as enrolAgent, readCode } from "@sallyport/agent/src/enrol.ts";
import { acceptAnswer } from "@sallyport/agent/src/pinning.ts";
import { readPinned, type StatePaths, statePaths, writePinned } from "@sallyport/agent/src/state.ts";
import { createIdentityKeeper, type IdentityKeeper } from "@sallyport/agent/src/supervisor/identity.ts";
import { requestToken, type TokenResult } from "@sallyport/agent/src/supervisor/tokens.ts";
import { agentDirectory } from "@sallyport/cloud/src/agents/agent-store.ts";
import { createLoad } from "@sallyport/cloud/src/agents/choice.ts";
import { createCode, type EnrolmentDeps, enrol } from "@sallyport/cloud/src/agents/enrolment.ts";
import { signingKeyOf } from "@sallyport/cloud/src/agents/signing-key.ts";
import { privateJwk, ringOf, type SigningRing } from "@sallyport/cloud/src/agents/signing-ring.ts";
import { authenticateAgent, issueToken, type TokenDeps } from "@sallyport/cloud/src/agents/tokens.ts";
import { generateKeyPair } from "@sallyport/shared/crypto/identity.ts";
import type { Signer } from "@sallyport/shared/crypto/jws.ts";
import { confirmRotation } from "@sallyport/shared/crypto/rotation.ts";
import { parseJson } from "@sallyport/shared/json.ts";
import { ERRORS, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { enrolRequest, type TokenAnswer } from "@sallyport/shared/schema/api.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import { openCloudStore } from "../cloud-store.ts";

export const [TENANT, SITE] = ["contoso", "oslo"];
const LISTEN = { host: "contoso.servicebus.windows.net", keyName: "listen", key: "secret" };
const forever = new AbortController().signal;

/** To be awaited at the top of a test file. */
export async function openWorld() {
  const cloud = await openCloudStore();
  const { store, clock, now } = cloud;
  // Keys of an enrolment are dated by the machine's clock.
  clock.nowMs = Date.now();
  const createdAt = now().toISOString();
  await store.tenants.insert(TENANT, { name: "Contoso", createdAt, quotas: null, closedAt: null });
  await store.sites.insert(TENANT, SITE, { name: "Oslo", createdAt });
  const { kty, crv, x, y, d } = (await generateKeyPair("ES256")).privateJwk;
  /** The orchestrator's ring, which tests rotate, and whether it loses its next answers. */
  const state = { ring: ringOf(privateJwk.parse({ kty, crv, x, y, d })) as SigningRing, loseAnswers: 0 };
  const directory = agentDirectory({ ...cloud, load: createLoad(), alert: () => undefined });
  const { caPem, certificate } = await localhost();
  const signing = () => signingKeyOf(state.ring, now);

  const enrolment = async (): Promise<EnrolmentDeps> => ({
    ...{ ...directory, origin, relayHost: LISTEN.host, canarySeconds: 300, createPath: async () => undefined },
    ...{ keys: (await signing()).keys, keysSeq: state.ring.seq, now, random: cloud.random },
  });
  const tokens = async (): Promise<TokenDeps> => {
    const { statement, chainSince, signer } = await signing();
    return {
      ...{ ...directory, origin, listenRule: LISTEN, canarySeconds: 300, now, keyChainSince: chainSince },
      ...{ keysStatement: () => statement(origin), confirm: (of) => confirmRotation(of, signer) },
      useJti: (agent, jti) => store.jtis.use(agent, jti, now().toISOString()),
    };
  };
  const answer = async (path: string, authorization: string | null, body: Buffer): Promise<unknown> => {
    if (path === "/api/agent/enrol") return await enrol(await enrolment(), enrolRequest.parse(parseJson(body)));
    const deps = await tokens();
    const agent = await authenticateAgent(deps, { authorization, method: "POST", path, body });
    const token = await issueToken(deps, agent, body);
    if (state.loseAnswers === 0) return token;
    state.loseAnswers -= 1;
    throw new Error("lost on the way");
  };
  const server = createServer(certificate, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      answer(request.url ?? "", request.headers.authorization ?? null, Buffer.concat(chunks))
        .then((said) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(said)))
        .catch((error: unknown) => {
          if (!(error instanceof SallyportError)) return request.socket.destroy();
          const { code, message: detail, detail: facts } = error;
          response.writeHead(ERRORS[code].http).end(JSON.stringify({ code, detail, facts }));
        });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `https://localhost:${(server.address() as AddressInfo).port}`;
  const folder = mkdtempSync(join(tmpdir(), "sallyport-keys-"));
  after(async () => {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });

  const network = { caPem };
  const agentClock: Clock = { wallMs: () => clock.nowMs, monotonicMs: () => clock.nowMs, sleep: async () => undefined };
  const newCode = async () => (await createCode(await enrolment(), TENANT, SITE, true, "key:admin")).code;
  const enrolAt = async (paths: StatePaths) =>
    await enrolAgent(origin, readCode(await newCode()), paths, network, forever);
  return { cloud, state, directory, origin, folder, network, clock: agentClock, enrolAt };
}

export type World = Awaited<ReturnType<typeof openWorld>>;

/** An agent's process from its start to its first token request, and what it did meanwhile. */
export interface Visit {
  readonly result: TokenResult;
  readonly keeper: IdentityKeeper;
  /** Thumbprints that it went over to. */
  readonly rotated: readonly string[];
  /** Why the answer was not taken, where it was not. */
  readonly refused: string | undefined;
}

export const pathsOf = (world: World, name: string): StatePaths => statePaths(join(world.folder, name));

/** Starts on what is on the disk, asks once, and is gone: so each step is one that a crash could have come before. */
export async function visit(world: World, paths: StatePaths, alter = (answer: TokenAnswer) => answer): Promise<Visit> {
  const rotated: string[] = [];
  const pinned = readPinned(paths)!;
  const quiet = { info: () => undefined, warn: () => undefined } as never;
  const request = async (signer: Signer, report: Parameters<IdentityKeeper["ask"]>[0]) => {
    const { origin, network, clock } = world;
    const result = await requestToken({ origin, agent: pinned.agent, signer, network, clock }, report, forever);
    return result.ok ? { ...result, answer: alter(result.answer) } : result;
  };
  const keeper = await createIdentityKeeper({
    ...{ paths, pinned: () => readPinned(paths)!, lifeDays: 90, request, clock: world.clock, log: quiet },
    rotated: (kid) => void rotated.push(kid),
  });
  const report = {
    ...{ journal: null, policy: "p".repeat(43), locked: false, draining: false, version: "0.1.0" },
    keysSeq: pinned.keysSeq,
  };
  const result = await keeper.ask(report, forever);
  if (!result.ok) return { result, keeper, rotated, refused: undefined };
  const accepted = await acceptAnswer(readPinned(paths)!, result.answer);
  if (accepted.ok) writePinned(paths, accepted.pinned);
  return { result, keeper, rotated, refused: accepted.ok ? undefined : accepted.why };
}

async function localhost() {
  const authority = await makeAuthority();
  const { key, cert } = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  return { caPem: authority.caPem, certificate: { key, cert } };
}
