import assert from "node:assert/strict";
import { generateKeyPairSync, verify } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ServiceBusClient, type ServiceBusMessage } from "@azure/service-bus";
import { type ServiceBus, startServiceBus } from "../servicebus/start.ts";
import { type Authority, type Certificate, makeAuthority } from "../tls/certificates.ts";
import { type FunctionsHost, startFunctionsHost } from "./start.ts";
import { call } from "./test-client.ts";

const app = fileURLToPath(new URL("fixtures/messages", import.meta.url));
const keys = [{ name: "RootManageSharedAccessKey", key: "a-key-of-this-test" }];
const LOCK_SECONDS = 2;

const config = {
  UserConfig: {
    Namespaces: [
      {
        Name: "local",
        Queues: [{ Name: "slices", Properties: { LockDuration: `PT${LOCK_SECONDS}S`, MaxDeliveryCount: 2 } }],
        Topics: [{ Name: "events", Subscriptions: [{ Name: "all" }] }],
      },
    ],
  },
};

let authority: Authority;
let tls: Certificate;
before(async () => {
  authority = await makeAuthority();
  tls = await authority.issue({ names: ["localhost"] });
});

type Ending = { after(act: () => Promise<unknown>): void };
type Bench = { bus: ServiceBus; host: FunctionsHost; client: ServiceBusClient };

/** A Service Bus with the fixture app on it and a client of the test's own. */
async function openBench(t: Ending): Promise<Bench> {
  const bus = await startServiceBus({ config, keys });
  const client = new ServiceBusClient(bus.connectionString);
  const host = await startFunctionsHost({ app, tls, env: { SERVICEBUS: bus.connectionString, QUEUE: "slices" } });
  // The service last, so that its clients can say goodbye.
  t.after(async () => {
    await client.close();
    await host.close();
    await bus.close();
  });
  return { bus, host, client };
}

async function send(client: ServiceBusClient, entity: string, ...messages: ServiceBusMessage[]): Promise<void> {
  const sender = client.createSender(entity);
  await sender.sendMessages(messages);
  await sender.close();
}

async function waiting(client: ServiceBusClient): Promise<number> {
  const receiver = client.createReceiver("slices");
  const messages = await receiver.peekMessages(10);
  await receiver.close();
  return messages.length;
}

async function seen(host: FunctionsHost, pattern: RegExp) {
  return JSON.parse(/seen (\{.*\})/.exec(await host.line(pattern))?.[1] ?? "");
}

test("a message arrives with the real trigger's habits and is completed", async (t) => {
  const { host, client } = await openBench(t);
  await send(client, "slices", {
    body: { run: "r1", Slice: 7 },
    messageId: "m1",
    subject: "slice",
    applicationProperties: { Attempt: 1, TraceParent: "00-x" },
  });
  const { message, metadata } = await seen(host, /seen .*"r1"/);
  assert.deepEqual(message, { run: "r1", Slice: 7 });
  assert.equal(metadata.messageId, "m1");
  assert.equal(metadata.subject, "slice");
  assert.equal(metadata.deliveryCount, 1);
  assert.deepEqual(metadata.applicationProperties, { attempt: 1, traceParent: "00-x" });
  assert.equal(new Date(metadata.enqueuedTimeUtc).toISOString(), metadata.enqueuedTimeUtc);
  assert.equal(typeof metadata.sequenceNumber, "number");
  await host.close();
  assert.equal(await waiting(client), 0);
});

test("text that looks like JSON arrives parsed, other text as it is", async (t) => {
  const { host, client } = await openBench(t);
  await send(client, "slices", { body: Buffer.from("42"), messageId: "43" }, { body: Buffer.from("plain text") });
  const number = await seen(host, /seen \{"message":42,/);
  assert.equal(number.metadata.messageId, 43);
  await seen(host, /seen \{"message":"plain text",/);
});

test("a message whose function throws comes again, counted, and ends in the dead-letter queue", async (t) => {
  const { host, client } = await openBench(t);
  await send(client, "slices", { body: "poison" });
  assert.equal((await seen(host, /seen .*"deliveryCount":1,/)).message, "poison");
  assert.equal((await seen(host, /seen .*"deliveryCount":2,/)).message, "poison");
  const receiver = client.createReceiver("slices", { subQueueType: "deadLetter" });
  const [dead] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 30_000 });
  assert.equal(dead?.deadLetterReason, "MaxDeliveryCountExceeded");
});

test("no more than maxConcurrentCalls run at a time", async (t) => {
  const { host, client } = await openBench(t);
  const release = () => call(authority.caPem, `${host.url}/api/release`);
  await send(client, "slices", { body: "hold a" }, { body: "hold b" }, { body: "hold c" });
  await host.line(/holding 2/);
  assert.equal((await release()).text, "2");
  await host.line(/seen .*hold c/);
  assert.equal((await release()).text, "2");
});

test("a lock is renewed while the function runs", async (t) => {
  const { host, client } = await openBench(t);
  await send(client, "slices", { body: "hold long" });
  await host.line(/holding 1/);
  // A message due after the lock would have expired is this test's clock.
  await send(client, "slices", { body: "later", scheduledEnqueueTimeUtc: new Date(Date.now() + LOCK_SECONDS * 1500) });
  await host.line(/seen .*later/);
  await call(authority.caPem, `${host.url}/api/release`);
  await host.close();
  assert.equal(await waiting(client), 0);
  assert.equal(host.lines().filter((line) => /seen .*hold long/.test(line)).length, 1);
});

test("on SIGTERM a message in hand is finished and completed", async (t) => {
  const { host, client } = await openBench(t);
  await send(client, "slices", { body: "slow" });
  await host.line(/seen .*slow/);
  assert.deepEqual(await host.close(), { code: 0, signal: null });
  assert.equal(await waiting(client), 0);
});

test("a topic's subscription is listened to", async (t) => {
  const { host, client } = await openBench(t);
  await send(client, "events", { body: { type: "run.published" } });
  await host.line(/heard \{"type":"run\.published"\}/);
});

test("an admin can run a trigger by hand", async (t) => {
  const { host } = await openBench(t);
  const headers = { "x-functions-key": host.masterKey };
  const body = JSON.stringify({ input: '{"by":"hand"}' });
  assert.equal(
    (await call(authority.caPem, `${host.url}/admin/functions/work`, { method: "POST", body, headers })).status,
    202,
  );
  assert.deepEqual((await seen(host, /seen .*"by":"hand"/)).message, { by: "hand" });
});

test("a service that is not there yet, or goes away, is connected to when it is back", async (t) => {
  let bus = await startServiceBus({ config, keys });
  const { port, connectionString } = bus;
  await bus.close();
  const host = await startFunctionsHost({ app, tls, env: { SERVICEBUS: connectionString, QUEUE: "slices" } });
  t.after(() => host.close());
  for (const body of ["first", "second", "third"]) {
    bus = await startServiceBus({ config, keys, port });
    const client = new ServiceBusClient(connectionString);
    await send(client, "slices", { body });
    await host.line(new RegExp(`seen .*${body}`));
    await client.close();
    await bus.close();
  }
  await host.line(/Message processing error/);
  // Stopping does not wait for the service that is away.
  assert.deepEqual(await host.close(), { code: 0, signal: null });
});

test("a namespace by name is reached over TLS with the managed identity", async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const asked: string[] = [];
  const entraToken = (jwt: string) => {
    const [header = "", payload = "", signature = ""] = jwt.split(".");
    asked.push(JSON.parse(Buffer.from(payload, "base64url").toString()).aud);
    const key = { key: publicKey, dsaEncoding: "ieee-p1363" } as const;
    return verify("sha256", Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, "base64url"));
  };
  const bus = await startServiceBus({ config, keys, tls, entraToken });
  const folder = await mkdtemp(join(tmpdir(), "host-messages-"));
  await writeFile(join(folder, "ca.pem"), authority.caPem);
  const clientId = "66666666-6666-4666-8666-666666666666";
  const host = await startFunctionsHost({
    app,
    tls,
    identity: { privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }) as string, clientId },
    env: {
      NODE_EXTRA_CA_CERTS: join(folder, "ca.pem"),
      QUEUE: "slices",
      SERVICEBUS__fullyQualifiedNamespace: `localhost:${bus.port}`,
      SERVICEBUS__credential: "managedidentity",
      SERVICEBUS__clientId: clientId,
    },
  });
  t.after(async () => {
    await host.close();
    await bus.close();
    await rm(folder, { recursive: true });
  });
  const sent = await call(authority.caPem, `${host.url}/api/send`, { method: "POST", body: "by identity" });
  assert.equal(sent.status, 202);
  await host.line(/seen .*by identity/);
  assert.ok(asked.every((audience) => audience === "https://servicebus.azure.net/"));
});
