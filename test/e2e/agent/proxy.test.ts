/**
 * The agent behind a company's proxy. The names of orchestrator, relay and gateway exist for the proxy only, so whatever
 * reaches them went through it.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { networkFault } from "@sallyport/agent/src/network-fault.ts";
import { createAgent } from "@sallyport/agent/src/origin.ts";
import { type Login, startProxy, type TestProxy } from "../../emulators/proxy/start.ts";
import { childrenOf, commandLine, environment } from "../../system/processes.ts";
import { dial } from "./sender.ts";
import { type CliResult, type RunningAgent, type Site, startSite } from "./site.ts";

const NAMES = { orchestrator: "orchestrator.invalid", relay: "contoso.relay.invalid", rendezvous: "g1.relay.invalid" };
/** A password that URLs have to write otherwise, and that stands nowhere else. */
const LOGIN: Login = { user: "CORP\\svc-proxy", password: "Pr0xy:p@ss/w%rd" };
const onLinux = process.platform === "linux";

let site: Site;
let open: TestProxy;
let guarded: TestProxy;
before(async () => {
  site = await startSite(NAMES);
  open = await startProxy({ names: Object.values(NAMES) });
  guarded = await startProxy({ names: Object.values(NAMES), login: LOGIN });
});
after(async () => {
  await site.close();
  await open.stop();
  await guarded.stop();
});

const config = (): string => join(site.state, "agent.yaml");

function setProxy(url: string): void {
  mkdirSync(site.state, { recursive: true, mode: 0o700 });
  let text = "";
  try {
    text = readFileSync(config(), "utf8").replace(/^proxy:.*\n/m, "");
  } catch {
    // Before the first enrolment the owner's line is all there is.
  }
  writeFileSync(config(), `${text}proxy: ${url}\n`, { mode: 0o600 });
}

async function ping(): Promise<void> {
  const dialled = await dial(site, { ping: true });
  assert.ok(dialled.ok, dialled.ok ? "" : dialled.reason);
  await dialled.sender.request();
  assert.equal((await dialled.sender.messages()).at(-1)?.kind, "end");
}

/** Those that it was asked for, by the tunnels from this one on. */
const hosts = (proxy: TestProxy, from = 0): string[] =>
  [
    ...new Set(
      proxy
        .stats()
        .tunnels.slice(from)
        .map((tunnel) => tunnel.split(":")[0]!),
    ),
  ].sort();

const everyFile = (folder: string): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "agent.yaml")
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("\n");

/** The password, and the ways it is written on the way. */
function assertNoLogin(text: string, login: Login, what: string): void {
  const both = `${login.user}:${login.password}`;
  for (const form of [
    login.password,
    encodeURIComponent(login.password),
    JSON.stringify(login.password).slice(1, -1),
    Buffer.from(both).toString("base64"),
    encodeURIComponent(login.user),
  ]) {
    assert.ok(!text.includes(form), `the proxy's login stands in ${what}`);
  }
}

test("a host that is looked for past the proxy is not there", async () => {
  const { code, stdout } = await site.enroll(site.orchestrator.code());
  assert.equal(code, 69);
  assert.match(stdout, /network\.unreachable/);
  assert.equal(open.stats().connections, 0);
});

test("enrolment, token, control channel, rendezvous and rejection go through the proxy", async () => {
  const enrolled = await site.enroll(site.orchestrator.code(), ["--proxy", open.url()]);
  assert.equal(enrolled.code, 0, enrolled.stderr);
  // Its checks try the way to the other two as well.
  assert.deepEqual(hosts(open), [NAMES.relay, NAMES.rendezvous, NAMES.orchestrator].sort());
  const enrolling = open.stats().tunnels.length;
  assert.match(readFileSync(config(), "utf8"), new RegExp(`^proxy: ${open.url()}`, "m"));
  for (const channel of ["hyco-ws", "ws"]) {
    writeFileSync(config(), `${readFileSync(config(), "utf8").replace(/^channel:.*\n/m, "")}channel: ${channel}\n`);
    const agent = await site.start();
    await ping();
    const turnedDown = await dial(site, { headers: {} });
    assert.equal(!turnedDown.ok && turnedDown.status, 400);
    assert.equal(await agent.stop(), 0);
  }
  assert.deepEqual(hosts(open, enrolling), [NAMES.relay, NAMES.rendezvous, NAMES.orchestrator].sort());
});

test("a login in agent.yaml opens the proxy, and stands in no argument, environment, log, journal or state", async () => {
  setProxy(guarded.url());
  assert.equal((await site.enroll(site.orchestrator.code())).code, 0);
  const agent = await site.start();
  await ping();
  assert.equal(guarded.stats().refused, 0);
  assert.deepEqual(hosts(guarded), hosts(open));
  if (onLinux) {
    const supervisor = agent.process.pid!;
    for (const pid of [supervisor, ...childrenOf(supervisor)]) {
      assertNoLogin([...commandLine(pid), ...environment(pid)].join("\n"), LOGIN, `process ${pid}`);
    }
  }
  assert.equal(await agent.stop(), 0);
  assertNoLogin(agent.log(), LOGIN, "the log");
  assertNoLogin(everyFile(site.state), LOGIN, "the agent's folder");
});

test("a login on the command line is refused, and not repeated", async () => {
  const result = await site.enroll(site.orchestrator.code(), ["--proxy", guarded.url()]);
  assert.equal(result.code, 64);
  assertNoLogin(result.stdout + result.stderr, LOGIN, "the answer");
});

test("a password that cannot be decoded is refused before anything starts, and not repeated", async () => {
  setProxy("http://svc:p%zz@127.0.0.1:1");
  const result = await site.cli(["run", "--config", config()]);
  assert.equal(result.code, 78);
  assert.match(result.stderr, /proxy: write it as/);
  assert.doesNotMatch(result.stderr, /p%zz/);
  setProxy(guarded.url());
});

/** What the agent says when it runs against this proxy, until its log has `text`. */
async function complaint(text: string): Promise<RunningAgent> {
  const agent = site.launch();
  await agent.logged(text);
  return agent;
}
const errorOf = ({ stdout }: CliResult) => (JSON.parse(stdout) as { error: { code: string; message: string } }).error;

test("a wrong password is network.proxy_login for enrolment and agent, tried once, and quoted nowhere", async () => {
  const wrong = { ...LOGIN, password: "Wr0ng:p@ss/w%rd" };
  setProxy(guarded.url(wrong));
  const before = guarded.stats().refused;
  const refused = await site.enroll(site.orchestrator.code());
  assert.equal(refused.code, 69);
  assert.equal(errorOf(refused).code, "network.proxy_login");
  assertNoLogin(refused.stdout + refused.stderr, wrong, "the answer");
  const agent = await complaint("network.proxy_login");
  assert.equal(guarded.stats().refused, before + 2);
  assert.equal(await agent.stop(), 0);
  assertNoLogin(agent.log() + everyFile(site.state), wrong, "the log or the folder");
  assert.equal(guarded.stats().refused, before + 2);
});

test("a proxy that repeats the login in its refusal gets it quoted nowhere", async (t) => {
  setProxy(guarded.url());
  guarded.manner = "refuse";
  t.after(() => {
    guarded.manner = "forward";
  });
  const refused = await site.enroll(site.orchestrator.code());
  assert.equal(errorOf(refused).code, "network.proxy");
  assert.match(errorOf(refused).message, /the proxy refused the tunnel \(403\)/);
  assertNoLogin(refused.stdout + refused.stderr, LOGIN, "the answer");
  const agent = await complaint("network.proxy");
  assert.equal(await agent.stop(), 0);
  assertNoLogin(agent.log() + everyFile(site.state), LOGIN, "the log or the folder");
});

test("a proxy that never answers: the attempt ends by its own time-out", async () => {
  open.manner = "mute";
  const agent = createAgent({ proxy: open.url(), caPem: site.authority.caPem }, 50);
  try {
    const call = request(site.orchestrator.origin, { agent });
    call.end();
    const [error] = (await once(call, "error")) as [Error];
    assert.deepEqual(networkFault(error), { code: "network.proxy", why: "the proxy did not answer" });
  } finally {
    agent.destroy();
    open.manner = "forward";
  }
});

test("an agent that stops while its proxy keeps silent still stops, and comes through once it answers", async () => {
  setProxy(open.url());
  open.manner = "mute";
  const connected = open.connected();
  const waiting = site.launch();
  await connected;
  await waiting.logged("agent started");
  assert.equal(await waiting.stop(), 0);
  open.manner = "forward";
  const agent = await site.start();
  await ping();
  assert.equal(await agent.stop(), 0);
});

test("the environment's proxies are not looked at", async () => {
  setProxy(open.url());
  const before = guarded.stats().connections;
  const elsewhere = { HTTPS_PROXY: guarded.url(), https_proxy: guarded.url(), NODE_USE_ENV_PROXY: "1" };
  const agent = await site.start({ ...elsewhere, NO_PROXY: "*" });
  await ping();
  assert.equal(await agent.stop(), 0);
  assert.equal(guarded.stats().connections, before);
});

test("counter-example: this proxy forwards for a stock client, and refuses one without a login", async () => {
  for (const [proxy, status] of [
    [open, undefined],
    [guarded, 407],
  ] as const) {
    const agent = new Agent({ ca: site.authority.caPem, proxyEnv: { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` } });
    const call = request(site.orchestrator.origin, { agent, method: "POST", path: "/api/agent/none" });
    call.end();
    const outcome = await new Promise((resolve) => {
      call.on("response", () => resolve(undefined));
      // An unknown path makes this orchestrator hang up, which is an answer from behind the proxy.
      call.on("error", (error: { statusCode?: number }) => resolve(error.statusCode));
    });
    assert.equal(outcome, status);
    call.destroy();
    agent.destroy();
  }
});
