import assert from "node:assert/strict";
import { test } from "node:test";
import { atEnd, bodiesIn, configOf, connect, KEYS, open } from "./real-client/open.ts";
import { startServiceBus } from "./start.ts";

const config = configOf({ Queues: [{ Name: "q" }] });

test("close ends connections in use and frees the port", async (t) => {
  const first = await startServiceBus({ config, keys: KEYS });
  await connect(t, first.connectionString).createSender("q").sendMessages({ body: 1 });
  await first.close();
  const second = await startServiceBus({ config, keys: KEYS, port: first.port });
  atEnd(t, () => second.close());
  assert.equal(second.port, first.port);
  assert.deepEqual(await bodiesIn(second, "q"), []);
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
