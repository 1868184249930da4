/** The journal of a running agent: what the orchestrator notices of it, and its copy at a syslog server. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { openJournal } from "@sallyport/agent/src/journal/journal.ts";
import { compareHeads, type HeadVerdict } from "@sallyport/cloud/src/agents/journal-head.ts";
import { type RunningAgent, type Site, startSite } from "./site.ts";

const FAST = ["--import", new URL("./fast-clock.ts", import.meta.url).href];
let site: Site;
let known: HeadVerdict["keep"];
/** What the orchestrator was told when it noticed something. */
let alerts: number[];
before(async () => {
  site = await startSite();
  site.orchestrator.faults.tokenSeconds = 60;
  assert.equal((await site.enroll(site.orchestrator.code())).code, 0);
  site.orchestrator.faults.knownHead = (report) => {
    const { altered, keep } = compareHeads(known, report);
    if (altered) alerts.push(report.journal?.seq ?? 0);
    known = keep;
    return keep;
  };
});
after(() => site.close());
beforeEach(() => {
  [known, alerts] = [null, []];
});

let agent: RunningAgent | undefined;
afterEach(async () => {
  await agent?.stop();
  agent = undefined;
});

const current = () => join(site.state, "journal", "journal.jsonl");
const verify = async (...more: string[]) => {
  const { code, stdout } = await site.cli(["journal", "verify", "--json", "--state", site.state, ...more]);
  return { code, verdict: JSON.parse(stdout) as { ok: boolean; seq?: number; known?: string; why?: string } };
};

/** Runs the agent until the orchestrator knows a line for certain: it was shown again in a later request. */
async function untilKnown(): Promise<void> {
  agent = await site.start({}, FAST);
  const first = known?.seq ?? 0;
  while ((known?.seq ?? 0) <= first) await site.orchestrator.nextTokenRequest();
  assert.equal(await agent.stop(), 0);
  agent = undefined;
  assert.deepEqual(alerts, []);
}

/** Takes away the last lines up to and with the one that is known. */
function cut(): void {
  const lines = readFileSync(current(), "utf8").split(/(?<=\n)/);
  writeFileSync(current(), lines.filter((line) => (JSON.parse(line) as { seq: number }).seq < known!.seq).join(""));
}

test("a journal that only grows raises no alert, and `verify` finds the line that the orchestrator knows", async () => {
  await untilKnown();
  const { code, verdict } = await verify();
  assert.deepEqual([code, verdict.ok, verdict.known], [0, true, "there"]);
});

test("a cut end: `verify` finds it by the line that the orchestrator told, and the orchestrator by the next request", async () => {
  await untilKnown();
  const head = `${known!.seq}:${known!.hash}`;
  cut();
  for (const more of [[], ["--head", head]]) {
    const { code, verdict } = await verify(...more);
    assert.deepEqual([code, verdict.ok, verdict.seq], [1, false, known!.seq]);
    assert.match(verdict.why ?? "", /the end was cut off/);
  }
  agent = await site.start({}, FAST);
  while (alerts.length === 0) await site.orchestrator.nextTokenRequest();
  assert.equal(alerts.length, 1);
});

test("a cut end, and as many lines written anew: the chain is whole, and yet it is noticed, by both", async () => {
  await untilKnown();
  const head = `${known!.seq}:${known!.hash}`;
  cut();
  const forged = openJournal(join(site.state, "journal"), { maxBytes: 2 ** 30, maxDays: 400 });
  for (let line = 0; line < 30; line += 1) forged.append({ event: "token" });
  forged.close();
  const { code, verdict } = await verify("--head", head);
  assert.equal(code, 1);
  assert.match(verdict.why ?? "", /is not the line that is known/);
  agent = await site.start({}, FAST);
  await agent.logged("the journal has not the line that the orchestrator knows");
  while (alerts.length === 0) await site.orchestrator.nextTokenRequest();
  assert.equal(alerts.length, 1);
});

test("each line goes to the syslog server as it stands in the journal; one that comes late gets what waited", async () => {
  const sockets = new Set<Socket>();
  let bytes = Buffer.alloc(0);
  let came = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      came.resolve();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const config = join(site.state, "agent.yaml");
  const before = readFileSync(config, "utf8");
  site.addConfig(`journal: { syslog: { to: "tcp://127.0.0.1:${port}" } }\n`);
  // Nobody listens there while it starts.
  server.close();
  const first = site.journal().length;
  agent = await site.start({}, FAST);
  await agent.logged("the syslog server is away");
  server.listen(port, "127.0.0.1");
  await site.orchestrator.nextTokenRequest();
  while (!bytes.includes('"event":"start"')) {
    await came.promise;
    came = Promise.withResolvers<void>();
  }
  assert.equal(await agent.stop(), 0);
  agent = undefined;
  writeFileSync(config, before);
  for (const socket of sockets) if (!socket.closed) await once(socket, "close");
  server.close();
  const copied = [...bytes.toString().matchAll(/<1\d\d>1 \S+ \S+ sallyport \d+ [a-z]+ - (\{.*?\})(?=\d+ <|$)/g)];
  assert.deepEqual(
    copied.map(([, json]) => JSON.parse(json ?? "")),
    site.journal().slice(first),
  );
});
