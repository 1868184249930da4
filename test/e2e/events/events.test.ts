/** Events through the whole stack: real runs of a real agent, the topic, and a receiver that does everything wrong at first. */
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ServiceBusClient } from "@azure/service-bus";
import type { PullView, RunView } from "@sallyport/shared/schema/api.ts";
import { cloudEvent } from "@sallyport/shared/schema/events.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import { createCleanup } from "../../stack/cleanup.ts";
import { fillSample } from "../../stack/sample.ts";
import { CONNECTION, SITE, type Stack, startStack, TENANT } from "../../stack/start.ts";
import { type Arrival, checkFromDocument, type Event, type Mood, type Receiver, startReceiver } from "./receiver.ts";

const PATH = `/tenants/${TENANT}`;
const RUNS = 6;
/** Everything that a receiver can do wrong, one after the other, before it takes what it gets. */
const MOODS: readonly Mood[] = ["fail", "redirect", "reset", "hang", "late", "restart", "fail"];

describe("events", () => {
  const cleanup = createCleanup();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-events-"));
  let stack: Stack;
  let receiver: Receiver;
  before(async () => {
    // The receiver's certificate is of an authority that the function app trusts beside the stack's own.
    const authority = await makeAuthority();
    const trusted = join(folder, "trusted.pem");
    const onStep = (step: string) => {
      if (step !== "function app") return;
      writeFileSync(trusted, readFileSync(join(folder, "ca.pem")));
      appendFileSync(trusted, authority.caPem);
    };
    const settings = {
      NODE_EXTRA_CA_CERTS: trusted,
      SALLYPORT_WEBHOOK_NETWORKS: "127.0.0.0/8, ::1/128",
      SALLYPORT_WEBHOOK_BACKOFF_SECONDS: "0.2",
    };
    stack = await startStack({ folder, cleanup, settings, onStep });
    cleanup.add(await fillSample(stack.sqlServer.server, 500, () => undefined), (it) => it.close());
    const certificate = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
    receiver = cleanup.add(await startReceiver(certificate, await checkFromDocument(folder)), (it) => it.close());
    for (const [id, table] of [
      ["flights", "dbo.Flights"],
      ["exact", "dbo.Exact"],
      ["missing", "dbo.Missing"],
    ]) {
      const definition = { connection: CONNECTION, operation: { op: "sql.table", table, columns: "*" } };
      await stack.api.post(`${PATH}/pulls`, { id, definition });
    }
  });
  after(async () => {
    await cleanup.run();
    rmSync(folder, { recursive: true, force: true });
  });

  const taken = (arrivals: readonly Arrival[]) => arrivals.filter(({ mood }) => mood === "take");
  const idsOf = (arrivals: readonly Arrival[], subject: string) => [
    ...new Set(arrivals.filter(({ event }) => event.subject === subject).map(({ event }) => event.id)),
  ];

  it("a private address is refused unless the deployment names its network, and so is what is no https", async () => {
    for (const [url, code] of [
      ["https://10.0.0.1/", "webhook.address_refused"],
      ["https://169.254.169.254/metadata/identity", "webhook.address_refused"],
      ["https://[fd00::1]/", "webhook.address_refused"],
      ["http://localhost/", "api.invalid"],
      ["https://user:word@localhost/", "api.invalid"],
    ]) {
      await assert.rejects(stack.api.post(`${PATH}/webhooks`, { id: "inside", url }), (error: Error) => {
        assert.match(error.message, new RegExp(`^${code}`), url);
        return true;
      });
    }
  });

  it("whatever the receiver does, every event arrives, in order for each pull, and its signature fits", async () => {
    const { secret } = await stack.api.post<{ secret: string }>(`${PATH}/webhooks`, { id: "ops", url: receiver.url });
    receiver.secret = secret;
    receiver.moods.push(...MOODS);
    const runs: Promise<RunView>[] = [];
    for (let n = 0; n < RUNS; n++) {
      for (const pull of ["flights", "exact"]) runs.push(stack.api.post(`${PATH}/pulls/${pull}/runs`, {}));
    }
    runs.push(stack.api.post(`${PATH}/pulls/missing/runs`, {}));
    const started = await Promise.all(runs);
    await receiver.until("all runs", (arrivals) => {
      const subjects = ["flights", "exact"].every((pull) => idsOf(taken(arrivals), `pulls/${pull}`).length === RUNS);
      return subjects && idsOf(taken(arrivals), "pulls/missing").length === 1;
    });
    const { arrivals } = receiver;
    assert.deepEqual(
      arrivals.filter(({ genuine }) => !genuine),
      [],
      "each signature fits, also of those that were refused",
    );
    assert.deepEqual([...new Set(arrivals.map(({ mood }) => mood))].sort(), [...new Set([...MOODS, "take"])].sort());
    const seen = new Set(taken(arrivals).map(({ event }) => event.data.run));
    assert.deepEqual(
      started.filter(({ id }) => !seen.has(id)),
      [],
      "no run is missing",
    );
    for (const pull of ["flights", "exact"]) {
      const first = idsOf(taken(arrivals), `pulls/${pull}`);
      assert.deepEqual(
        first,
        Array.from({ length: RUNS }, (_, at) => `${pull}/${at + 1}`),
        "as their manifests are numbered",
      );
    }
    const failed = arrivals.find(({ event }) => event.subject === "pulls/missing")!.event;
    assert.deepEqual([failed.type, failed.data.code], ["sallyport.run.failed", "policy.denied"]);
    for (const { event } of arrivals) cloudEvent.parse(event);
  });

  it("what was told is listed, newest first, and the topic had it once", async () => {
    const listed = await stack.api.get<Event[]>(`${PATH}/events?limit=1000`);
    const times = listed.map(({ time }) => time);
    assert.deepEqual(times, [...times].sort().reverse());
    const runs = listed.filter(({ type }) => type.startsWith("sallyport.run."));
    assert.equal(runs.length, 2 * RUNS + 1);
    const bus = cleanup.add(new ServiceBusClient(stack.queue.connectionString), (it) => it.close());
    const subscriber = bus.createReceiver("events", "all", {
      receiveMode: "receiveAndDelete",
      skipParsingBodyAsJson: true,
    });
    const told: string[] = [];
    while (told.filter((id) => id.startsWith("flights/") || id.startsWith("exact/")).length < 2 * RUNS) {
      for (const message of await subscriber.receiveMessages(50, { maxWaitTimeInMs: 5000 })) {
        const event = cloudEvent.parse(JSON.parse(String(message.body)));
        assert.equal(message.contentType, "application/cloudevents+json; charset=utf-8");
        assert.deepEqual(
          [message.messageId, message.applicationProperties?.type],
          [`${TENANT}/${event.id}`, event.type],
        );
        told.push(event.id);
      }
    }
    await subscriber.close();
    assert.equal(new Set(told).size, told.length, "duplicates are taken away");
    assert.deepEqual(
      told.filter((id) => id.startsWith("flights/")),
      Array.from({ length: RUNS }, (_, at) => `flights/${at + 1}`),
    );
  });

  it("while a secret is rotated either fits; afterwards only the new one is there", async () => {
    const before = receiver.secret;
    const rotated = await stack.api.post<{ secret: string }>(`${PATH}/webhooks/ops/rotate`, { overlapSeconds: 3600 });
    for (const secret of [before, rotated.secret]) {
      receiver.secret = secret;
      receiver.arrivals.length = 0;
      await stack.api.post(`${PATH}/webhooks/ops/test`, {});
      await receiver.until("a test", (arrivals) =>
        arrivals.some(({ event }) => event.type === "sallyport.webhook.test"),
      );
      assert.deepEqual(
        receiver.arrivals.map(({ genuine, signatures }) => [genuine, signatures]),
        [[true, 2]],
      );
    }
    const last = await stack.api.post<{ secret: string }>(`${PATH}/webhooks/ops/rotate`, { overlapSeconds: 0 });
    for (const [secret, fits] of [
      [rotated.secret, false],
      [last.secret, true],
    ] as const) {
      receiver.secret = secret;
      receiver.arrivals.length = 0;
      await stack.api.post(`${PATH}/webhooks/ops/test`, {});
      await receiver.until("a test", (arrivals) => arrivals.length > 0);
      assert.deepEqual(
        receiver.arrivals.map(({ genuine, signatures }) => [genuine, signatures]),
        [[fits, 1]],
      );
    }
  });

  it("agents and their ends are told, and results that are too old", async () => {
    receiver.arrivals.length = 0;
    await stack.api.post("/schedule/tick", {});
    // A timer may have told it before anybody listened.
    const listed = await stack.api.get<Event[]>(`${PATH}/events?limit=1000`);
    assert.ok(
      listed.some(({ subject, type }) => subject === `agents/${stack.agent.id}` && /connected|approved/.test(type)),
    );
    const { definition, revision } = await stack.api.get<PullView>(`${PATH}/pulls/missing`);
    const old = { ...definition, freshness: { maxAgeSeconds: 60 } };
    await stack.api.post(`${PATH}/pulls`, { id: "missing", definition: old, revision });
    await stack.api.post(`${PATH}/sites/${SITE}/agents/${stack.agent.id}/revoke`, {});
    await stack.api.post("/schedule/tick", {});
    await receiver.until("the end of the agent", (arrivals) =>
      arrivals.some(({ event }) => event.type === "sallyport.agent.revoked"),
    );
    // Its pull was made more than a minute ago, or soon will be, and never succeeded.
    await receiver.until("a pull that is too old", (arrivals) =>
      arrivals.some(({ event }) => event.type === "sallyport.pull.stale" && event.subject === "pulls/missing"),
    );
    assert.deepEqual(
      receiver.arrivals.filter(({ genuine }) => !genuine),
      [],
    );
  });

  it("a webhook that was removed gets nothing", async () => {
    await stack.api.post(`${PATH}/webhooks/ops/remove`, {});
    await assert.rejects(stack.api.post(`${PATH}/webhooks/ops/test`, {}), /^.*api\.not_found/);
    assert.deepEqual(await stack.api.get(`${PATH}/webhooks`), []);
  });
});
