import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { type Authority, makeAuthority } from "../../../test/emulators/tls/certificates.ts";
import { unusedProxyVariables } from "../config.ts";
import type { AgentStatus } from "../supervisor/status.ts";
import { parseTarget } from "../syslog/target.ts";
import { type Finding, runChecks } from "./check.ts";
import { openingsOf } from "./openings.ts";
import { checkOrchestrator } from "./orchestrator.ts";
import { checkProxy } from "./proxy.ts";
import { checkRelay, checkRendezvous } from "./relay.ts";
import { checkToken } from "./token.ts";

let authority: Authority;
let server: Server;
let answer: { status: number; headers?: Record<string, string>; reason?: string };
before(async () => {
  authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"] });
  server = createServer(tls);
  server.on("request", (_, response) => {
    response.writeHead(answer.status, answer.reason ?? "", answer.headers);
    response.end();
  });
  server.on("upgrade", (_, socket) => {
    socket.end(`HTTP/1.1 ${answer.status} ${answer.reason ?? "Word"}\r\ncontent-length: 0\r\n\r\n`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
after(async () => {
  server.close();
  server.closeAllConnections();
  await once(server, "close");
});

const host = (): string => `localhost:${(server.address() as AddressInfo).port}`;
const network = () => ({ caPem: authority.caPem });

/** Statuses by component, and the findings. */
async function orchestrator(caPem = authority.caPem): Promise<Record<string, Finding>> {
  const findings = await runChecks(checkOrchestrator(`https://${host()}`, { caPem }), 60_000);
  return Object.fromEntries(findings.map((finding) => [finding.check, finding]));
}

test("an orchestrator that answers is ok in all three, and says by which TLS and whose certificate", async () => {
  answer = { status: 200 };
  const { orchestrator: one, clock, tls } = await orchestrator();
  assert.deepEqual([one?.status, clock?.status, tls?.status], ["ok", "ok", "ok"]);
  assert.match(one?.details ?? "", /^\d+ ms, TLS 1\.3$/);
  assert.match(
    tls?.details ?? "",
    /^issued by "Sallyport test authority .*", trusted by this machine's own list, ends in 29 days$/,
  );
});

test("a certificate that nobody trusts is named with its issuer; the other end's clock is still told", async () => {
  answer = { status: 200 };
  const { orchestrator: one, clock, tls } = await orchestrator((await makeAuthority()).caPem);
  assert.deepEqual([one?.status, clock?.status, tls?.status], ["FAIL", "ok", "FAIL"]);
  assert.match(tls?.details ?? "", /^TLS issued by "Sallyport test authority .*", not trusted \([A-Z_]+\)$/);
  assert.match(tls?.advice ?? "", /tls: \{ ca: FILE \}/);
});

test("what answers in its place, or with a fault, is told apart", async () => {
  answer = { status: 404 };
  assert.match((await orchestrator()).orchestrator?.advice ?? "", /Is `origin` in agent\.yaml right/);
  answer = { status: 503 };
  assert.match((await orchestrator()).orchestrator?.advice ?? "", /function app has a fault/);
});

test("a clock that is off is a warning from half a minute, a failure from five, and told in seconds", async () => {
  for (const [offMs, status] of [
    [-10_000, "ok"],
    [90_000, "warn"],
    [-3_600_000, "FAIL"],
  ] as const) {
    answer = { status: 200, headers: { date: new Date(Date.now() + offMs).toUTCString() } };
    const { clock } = await orchestrator();
    assert.equal(clock?.status, status, String(offMs));
    if (status !== "ok") assert.match(clock?.details ?? "", /^-?\d+ s off$/);
  }
});

test("where nobody answers, only the first of the three says so", async () => {
  const closed = await runChecks(checkOrchestrator("https://no-such-host.invalid", network()));
  assert.deepEqual(
    closed.map(({ status }) => status),
    ["FAIL", "warn", "warn"],
  );
});

test("a relay's refusal of a handshake without a token is what is wanted; another's answer is not", async () => {
  const look = async () => (await runChecks([checkRelay(host(), "a".repeat(32), network())], 60_000))[0]!;
  answer = { status: 401 };
  assert.match((await look()).details, /^control channel, \d+ ms$/);
  answer = { status: 403, reason: "Forbidden. TrackingId:1b2c-3d, Timestamp:now" };
  assert.equal((await look()).status, "ok");
  answer = { status: 403 };
  assert.deepEqual([(await look()).status, (await look()).details], ["FAIL", "answered 403 to a WebSocket"]);
  answer = { status: 502 };
  assert.match((await look()).advice ?? "", /has a fault/);
});

test("gateways: those that are known are tried, and where none is, that is a warning with the domain to open", async () => {
  answer = { status: 404 };
  const [known] = await runChecks(checkRendezvous([host()], "localhost", network()), 60_000);
  assert.deepEqual([known?.status, known?.target], ["ok", host()]);
  const [none] = await runChecks(checkRendezvous([], "contoso.servicebus.windows.net", network()));
  assert.deepEqual([none?.status, none?.target], ["warn", "*.servicebus.windows.net:443"]);
});

test("proxy: none, one that is only in the environment, one that is not there", async () => {
  const look = async (proxy: string | undefined, environment: NodeJS.ProcessEnv) => {
    const through = { ...network(), ...(proxy === undefined ? {} : { proxy }) };
    return (await runChecks([checkProxy(`https://${host()}`, through, unusedProxyVariables(environment))], 60_000))[0]!;
  };
  assert.equal((await look(undefined, {})).details, "none configured");
  assert.match(
    (await look(undefined, { HTTPS_PROXY: "http://p:1" })).details,
    /HTTPS_PROXY is set here and not looked at/,
  );
  // It speaks TLS, so it is no proxy; the login is not repeated.
  const wrong = await look(`http://jane:s3cret@${host()}`, {});
  assert.deepEqual([wrong.status, wrong.target], ["FAIL", host()]);
  assert.doesNotMatch(JSON.stringify(wrong), /s3cret/);
});

test("a token's finding is the running agent's own word, once the orchestrator knows the agent", async () => {
  const token = (state: object) => ({ token: state }) as unknown as AgentStatus;
  const look = async (running: AgentStatus | undefined) => {
    const load = async () => ({
      ...{ origin: `https://${host()}`, agent: "a".repeat(32), network: network() },
      signer: { alg: "EdDSA" as const, kid: "k", sign: async () => new Uint8Array(64) },
      clock: { wallMs: Date.now, monotonicMs: () => 0, sleep: async () => undefined },
    });
    return (await runChecks([checkToken("a".repeat(32), load as never, running)], 60_000))[0]!;
  };
  answer = { status: 200 };
  assert.equal((await look(undefined)).status, "ok");
  assert.match(
    (await look(token({ state: "valid", renewedAt: new Date().toISOString() }))).details,
    /^renewed \d s ago$/,
  );
  const pending = await look(token({ state: "none", why: "agent.pending" }));
  assert.deepEqual([pending.status, pending.details], ["FAIL", "the running agent has none: agent.pending"]);
  answer = { status: 500 };
  assert.match((await look(undefined)).details, /answered 500, and not in our words/);
});

test("openings: a syslog server past the proxy, by its own port and protocol; a local one needs none", () => {
  const ways = {
    origin: "https://o.example",
    relayHost: undefined,
    gateways: [],
    connections: {},
    proxy: "proxy:3128",
  };
  const last = (to: string) => openingsOf({ ...ways, syslog: parseTarget(to)! }).at(-1);
  assert.deepEqual(
    [last("tls://siem")?.port, last("tls://siem")?.by, last("tls://siem")?.udp],
    [6514, "supervisor", undefined],
  );
  assert.deepEqual([last("udp://siem:1514")?.port, last("udp://siem:1514")?.udp], [1514, true]);
  assert.equal(last("unix:/run/syslog")?.to, openingsOf(ways).at(-1)?.to);
});

test("openings: every host of the configuration, through the proxy where there is one, systems never", () => {
  const ways = {
    origin: "https://contoso.azurewebsites.net",
    relayHost: "sb-contoso.servicebus.windows.net",
    gateways: ["relay.corp.example:8443"],
    connections: { erp: "sql01.corp.example:1433", v6: "[fd00::1]:1433", named: "sql02\\ERP" },
  };
  const lines = (proxy?: string): string[] =>
    openingsOf({ ...ways, ...(proxy === undefined ? {} : { proxy }) }).map(({ to, port, by }) => `${to} ${port} ${by}`);
  assert.deepEqual(lines(), [
    "contoso.azurewebsites.net 443 supervisor",
    "sb-contoso.servicebus.windows.net 443 supervisor",
    "*.servicebus.windows.net 443 executor",
    "relay.corp.example 8443 executor",
    "sql01.corp.example 1433 executor",
    "fd00::1 1433 executor",
    "sql02 1434 executor",
    "sql02 dynamic executor",
  ]);
  const through = lines("proxy.corp.example:3128");
  assert.equal(through[0], "proxy.corp.example 3128 both");
  assert.equal(through.filter((line) => line.endsWith("the proxy")).length, 4);
  assert.equal(through.filter((line) => line.endsWith("executor")).length, 4);
});
