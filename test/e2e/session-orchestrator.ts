/** The orchestrator's end of sessions over a relay, with the two agents of a site; for the tests of sessions. */
import type { TestContext } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { type Candidate, createOpenSession, type SessionDeps } from "@sallyport/cloud/src/sessions/open.ts";
import type { Consumer, SessionRequest } from "@sallyport/cloud/src/sessions/session.ts";
import { NO_TELEMETRY } from "@sallyport/cloud/src/telemetry/telemetry.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { encodeSchema } from "@sallyport/shared/rows/arrow.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { makeBench, RULES } from "../emulators/relay/clients.ts";
import { makeAgent, SITE, type TestAgent } from "./session-agent.ts";

export const orchestrator = await generateKeyPair("ES256");
export const [first, second] = [await makeAgent(1), await makeAgent(2)];
export const request: SessionRequest = {
  tenant: "contoso",
  connection: "erp",
  caller: "pull:orders",
  pull: "orders",
  requestId: "f".repeat(32),
  operation: { op: "sql.table", table: "dbo.Orders", columns: "*", watermark: "none" },
  limits: DEFAULT_LIMITS,
};
export const noRows: Consumer = {
  schema: async () => undefined,
  batch: async () => undefined,
  checkpoint: async () => "continue",
};

const ID: Column = { name: "Id", type: { kind: "int", bits: 32, signed: true }, nullable: false, source: "int" };
const plan = { to: null, key: ["Id"], isolation: "readCommitted", consistency: "exact" };
export const SCHEMA: Uint8Array = encodeSchema([ID], { "sallyport.plan": JSON.stringify(plan) });

/** Made up: nothing is opened here. */
export const unsealKidOf = (id: string): string => id.charAt(0).repeat(43);

/** An agent as the registry gives it. */
export const candidate = ({ id, path, pair }: TestAgent): Candidate => ({
  ...{ id, path, identity: pair.publicJwk, kid: pair.kid, unsealKid: unsealKidOf(id) },
});

/** An orchestrator whose site has both agents, the first one first. */
export async function makeSessions(t: TestContext, over: Partial<SessionDeps> = {}) {
  const bench = await makeBench(t);
  const trusted = getCACertificates("default");
  setDefaultCACertificates([...trusted, bench.ca]);
  t.after(() => setDefaultCACertificates(trusted));
  const signer = signerOf("ES256", orchestrator);
  const seen = { signed: 0, alerts: [] as (readonly [string, unknown])[] };
  const open = createOpenSession({
    relayHost: `localhost:${bench.relay.controlPort}`,
    signer: {
      ...signer,
      sign: (input) => {
        seen.signed += 1;
        return signer.sign(input);
      },
    },
    authorization: async (path) => bench.token(RULES.send, path),
    connectionOf: async () => ({ site: SITE, createdAt: "2026-01-01T00:00:00.000Z", credentialVersion: "1" }),
    candidates: async () => [candidate(first), candidate(second)],
    isCurrent: async () => true,
    credentialOf: async () => ({ form: "plain", user: "svc", password: "geheim", signIn: "sql" }),
    began: () => () => undefined,
    reached: async () => undefined,
    alert: (what, facts) => void seen.alerts.push([what, facts]),
    telemetry: NO_TELEMETRY,
    ...over,
  });
  const run = (consumer = noRows, signal = new AbortController().signal, asked: SessionRequest = request) =>
    open(asked, consumer, signal);
  return { bench, seen, run };
}
