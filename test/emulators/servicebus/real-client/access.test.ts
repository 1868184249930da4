import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { type TestContext, test } from "node:test";
import tls from "node:tls";
import { ServiceBusClient } from "@azure/service-bus";
import { makeAuthority } from "../../tls/certificates.ts";
import { type ServiceBus, startServiceBus } from "../start.ts";
import { dial, signature } from "./dial.ts";
import { atEnd, bodiesIn, configOf, connect, KEYS, open, receiveOne } from "./open.ts";

const QUEUES = { Queues: [{ Name: "q" }, { Name: "other" }] };
const UNAUTHORIZED = { code: "UnauthorizedAccess" };

function connectionString({ port }: ServiceBus, credential: string): string {
  return `Endpoint=sb://127.0.0.1:${port};${credential};UseDevelopmentEmulator=true`;
}

async function send(t: TestContext, bus: ServiceBus, credential: string, entity = "q"): Promise<void> {
  await connect(t, connectionString(bus, credential)).createSender(entity).sendMessages({ body: "in" });
}

test("a wrong key and an unknown key name are refused", async (t) => {
  const { bus } = await open(t, QUEUES);
  const [{ name, key }] = KEYS as [(typeof KEYS)[number]];
  await assert.rejects(send(t, bus, `SharedAccessKeyName=${name};SharedAccessKey=${key}x`), UNAUTHORIZED);
  await assert.rejects(send(t, bus, `SharedAccessKeyName=${name}x;SharedAccessKey=${key}`), UNAUTHORIZED);
  await send(t, bus, `SharedAccessKeyName=${name};SharedAccessKey=${key}`);
  assert.deepEqual(await bodiesIn(bus, "q"), ["in"]);
});

test("a signature opens the entity it was made for, until it expires", async (t) => {
  const { bus } = await open(t, QUEUES);
  const resource = `sb://127.0.0.1:${bus.port}/q`;
  const soon = Math.floor(Date.now() / 1000) + 60;
  const sas = (expiry: number) => `SharedAccessSignature=${signature(resource, KEYS[0]!, expiry)}`;
  await send(t, bus, sas(soon));
  await assert.rejects(send(t, bus, sas(soon - 120)), UNAUTHORIZED);
  await assert.rejects(send(t, bus, sas(soon), "other"), UNAUTHORIZED);
});

test("a link without a token before it is refused", async (t) => {
  const { bus } = await open(t, QUEUES);
  const connection = dial(t, bus);
  const links = [connection.open_sender("q"), connection.open_receiver("q"), connection.open_receiver("q/$management")];
  await Promise.all(links.map((link) => once(link, link.is_sender() ? "sender_error" : "receiver_error")));
  for (const { error } of links) assert.equal((error as { condition: string }).condition, "amqp:unauthorized-access");
});

test("over TLS a namespace and an Entra credential are enough", async (t) => {
  const authority = await makeAuthority();
  const trusted = tls.getCACertificates("default");
  tls.setDefaultCACertificates([...trusted, authority.caPem]);
  atEnd(t, () => tls.setDefaultCACertificates(trusted));
  const bus = await startServiceBus({
    config: configOf(QUEUES),
    keys: KEYS,
    tls: await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] }),
    entraToken: (jwt) => jwt === "good",
  });
  const credential = (token: string) => ({
    getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }),
  });
  const options = { retryOptions: { maxRetries: 0 } };
  const good = new ServiceBusClient(`localhost:${bus.port}`, credential("good"), options);
  const bad = new ServiceBusClient(`localhost:${bus.port}`, credential("bad"), options);
  const byKey = new ServiceBusClient(bus.connectionString, options);
  atEnd(t, () => bus.close());
  atEnd(t, () => Promise.all([good.close(), bad.close(), byKey.close()]));
  await good.createSender("q").sendMessages({ body: "by token" });
  assert.equal((await receiveOne(byKey.createReceiver("q"))).body, "by token");
  await assert.rejects(bad.createSender("q").sendMessages({ body: 1 }), UNAUTHORIZED);
});

test("an Entra token is refused where nobody says that it is good", async (t) => {
  const { bus } = await open(t, QUEUES);
  const connection = dial(t, bus);
  const replies = connection.open_receiver({ source: "$cbs", target: "me" });
  const requests = connection.open_sender("$cbs");
  await once(requests, "sendable");
  requests.send({
    message_id: 1,
    reply_to: "me",
    application_properties: { operation: "put-token", type: "jwt", name: `sb://localhost:${bus.port}/q` },
    body: "any",
  } as never);
  const [{ message }] = await once(replies, "message");
  assert.deepEqual([message.correlation_id, message.application_properties.statusCode], [1, 401]);
});

test("the host name of production may be kept, with the emulator's address beside it", async (t) => {
  const { bus } = await open(t, QUEUES);
  const [{ name, key }] = KEYS as [(typeof KEYS)[number]];
  const production = `Endpoint=sb://name.servicebus.windows.net;SharedAccessKeyName=${name};SharedAccessKey=${key};UseDevelopmentEmulator=true`;
  const client = connect(t, production, { customEndpointAddress: `sb://127.0.0.1:${bus.port}` });
  await client.createSender("q").sendMessages({ body: 1 });
  assert.deepEqual(await bodiesIn(bus, "q"), [1]);
});

test("a peer that does not speak AMQP is disconnected, and the others go on", async (t) => {
  const { bus, client } = await open(t, QUEUES);
  const socket = net.connect(bus.port, "127.0.0.1");
  socket.end("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  socket.resume();
  await once(socket, "close");
  await client.createSender("q").sendMessages({ body: 1 });
  assert.deepEqual(await bodiesIn(bus, "q"), [1]);
});
