/** What the agent trusts, which TLS it speaks, and a clock that is wrong. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { getCACertificates } from "node:tls";
import { loadNetwork, postJson } from "@sallyport/agent/src/origin.ts";
import type { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { dial } from "./sender.ts";
import { type Site, startSite } from "./site.ts";

let site: Site;
before(async () => {
  site = await startSite();
});
after(() => site.close());

const enrolArgs = () => ["enroll", "--json", "--origin", site.orchestrator.origin, "--code-file", "-"];
const place = () => ["--state", site.state, "--rendezvous-host", `localhost:${site.relay.rendezvousPort}`];
const codeOf = (stdout: string) => (JSON.parse(stdout) as { error: { code: string } }).error.code;

test("an authority that nobody named is refused: network.tls, exit 69", async () => {
  const result = await site.cli([...enrolArgs(), ...place()], site.orchestrator.code());
  assert.equal(result.code, 69);
  assert.equal(codeOf(result.stdout), "network.tls");
});

test("an environment that switches certificate checks off switches nothing off", async () => {
  const environment = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
  const result = await site.cli([...enrolArgs(), ...place()], site.orchestrator.code(), environment);
  assert.equal(codeOf(result.stdout), "network.tls");
});

test("an authority in the system's store is trusted, by the executors' rendezvous too", async () => {
  const system = { SSL_CERT_FILE: site.caFile };
  const enrolled = await site.cli([...enrolArgs(), ...place()], site.orchestrator.code(), system);
  assert.equal(enrolled.code, 0, enrolled.stderr);
  const agent = await site.start(system);
  await ping();
  assert.equal(await agent.stop(), 0);
});

test("a bundle of several authorities in tls.ca is read whole", async () => {
  const bundle = join(site.state, "bundle.pem");
  writeFileSync(bundle, `# the company's\n${getCACertificates("bundled")[0]}\n${site.authority.caPem}`);
  const { caPem } = loadNetwork(bundle, undefined);
  assert.ok(caPem?.includes(site.authority.caPem.trim()));
  const again = await site.enroll(site.orchestrator.code(), ["--ca", bundle]);
  assert.equal(again.code, 0, again.stderr);
});

for (const [name, text] of [
  ["nothing readable", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
  ["no certificate", "hello\n"],
]) {
  test(`a tls.ca that holds ${name} is a mistake of the configuration, and named`, async () => {
    const file = join(site.state, "wrong.pem");
    writeFileSync(file, text!);
    const result = await site.enroll(site.orchestrator.code(), ["--ca", file]);
    assert.equal(result.code, 78);
    assert.match(result.stdout, /wrong\.pem \(tls\.ca\) must hold certificates/);
  });
}

/** A server that offers these versions of TLS and no other. */
async function serverOf(minVersion: "TLSv1.1" | "TLSv1.2" | "TLSv1.3"): Promise<Server> {
  const { key, cert } = await site.authority.issue({ names: ["localhost"] });
  const options = { key, cert, minVersion, maxVersion: minVersion, ciphers: "DEFAULT:@SECLEVEL=0" };
  const server = createServer(options, (_request, response) => void response.end("{}"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

for (const version of ["TLSv1.1", "TLSv1.2", "TLSv1.3"] as const) {
  test(`an orchestrator that speaks only ${version} is ${version === "TLSv1.1" ? "refused" : "taken"}`, async (t) => {
    const server = await serverOf(version);
    t.after(() => server.close());
    const origin = `https://localhost:${(server.address() as AddressInfo).port}`;
    const network = loadNetwork(site.caFile, undefined);
    const call = postJson(origin, "/", "{}", {}, network, new AbortController().signal);
    if (version !== "TLSv1.1") return void assert.equal((await call).status, 200);
    await assert.rejects(call, (error: SallyportError) => error.code === "network.tls");
  });
}

async function ping(): Promise<void> {
  const dialled = await dial(site, { ping: true });
  assert.ok(dialled.ok, dialled.ok ? "" : dialled.reason);
  await dialled.sender.request();
  assert.equal((await dialled.sender.messages()).at(-1)?.kind, "end");
}

test("a clock that is an hour off is told loudly, works on, and is told mended", async (t) => {
  t.after(() => {
    Object.assign(site.orchestrator.faults, { clockAheadMs: 0, tokenSeconds: 1800 });
  });
  Object.assign(site.orchestrator.faults, { clockAheadMs: 3_600_000, tokenSeconds: 8 });
  const agent = await site.start();
  t.after(() => agent.stop("SIGKILL"));
  await agent.logged("this machine's clock is off by more than 5 minutes");
  assert.match(agent.log(), /"code":"token\.clock_skew","offsetSeconds":3[56][0-9]{2}/);
  await ping();
  site.orchestrator.faults.clockAheadMs = 0;
  await agent.logged("this machine's clock agrees with the orchestrator's again");
  assert.equal(await agent.stop(), 0);
});

test("a clock that is a month off gets no token, and one as soon as it is mended", async (t) => {
  t.after(() => {
    site.orchestrator.faults.clockAheadMs = 0;
  });
  site.orchestrator.faults.clockAheadMs = 30 * 86_400_000;
  const agent = site.launch();
  t.after(() => agent.stop("SIGKILL"));
  await agent.logged("token.clock_skew");
  assert.doesNotMatch(agent.log(), /control channel online/);
  site.orchestrator.faults.clockAheadMs = 0;
  await agent.logged("control channel online");
  await ping();
  assert.equal(await agent.stop(), 0);
  assert.ok(site.journal().some(({ event, code }) => event === "token" && code === "token.clock_skew"));
});
