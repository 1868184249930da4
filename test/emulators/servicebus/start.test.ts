import assert from "node:assert/strict";
import { test } from "node:test";
import { bodiesIn, configOf, connect, KEYS, open } from "./real-client/open.ts";
import { startServiceBus } from "./start.ts";

const config = configOf({ Queues: [{ Name: "q" }] });

test("close ends connections in use and frees the port", async (t) => {
  const { bus, client } = await open(t, { Queues: [{ Name: "q" }] });
  const receiver = client.createReceiver("q");
  const waiting = receiver.receiveMessages(1, { maxWaitTimeInMs: 60_000 }).catch(() => []);
  await bodiesIn(bus, "q");
  const first = await startServiceBus({ config, keys: KEYS });
  await connect(t, first.connectionString).createSender("q").sendMessages({ body: 1 });
  await first.close();
  const second = await startServiceBus({ config, keys: KEYS, port: first.port });
  t.after(() => second.close());
  assert.equal(second.port, first.port);
  assert.deepEqual(await bodiesIn(second, "q"), []);
  await receiver.close();
  await waiting;
});

test("a port that is taken is an error", async (t) => {
  const { bus } = await open(t, { Queues: [{ Name: "q" }] });
  await assert.rejects(startServiceBus({ config, keys: KEYS, port: bus.port }), { code: "EADDRINUSE" });
});

test("options are checked", async () => {
  await assert.rejects(startServiceBus({ config, keys: [] }), /keys/);
  await assert.rejects(startServiceBus({ config, keys: KEYS, prot: 1 } as never), /prot/);
  await assert.rejects(startServiceBus({ config: {} as never, keys: KEYS }), /UserConfig/);
});
