import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { startTap } from "./tap.ts";

const ANSWER = "0123456789";

/** A server that answers anything with ten bytes, and a client of it through a tap. */
async function start(t: TestContext) {
  const served: Socket[] = [];
  const server = createServer((socket) => {
    served.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", () => socket.write(ANSWER));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const tap = await startTap((server.address() as AddressInfo).port);
  const client = connect(tap.port, "127.0.0.1");
  t.after(async () => {
    client.destroy();
    await tap.close();
    server.close();
  });
  let came = "";
  client.on("data", (chunk) => {
    came += chunk;
  });
  const comes = async (text: string): Promise<void> => {
    while (came !== text) await once(client, "data");
  };
  return { tap, client, served, comes, came: () => came };
}

test("what is said goes through and is kept, and so are answers until they are held; what was held comes when it is let go", async (t) => {
  const { tap, client, comes, came } = await start(t);
  client.write("one");
  await comes(ANSWER);
  const held = tap.hold(4);
  client.write("two");
  await held;
  await comes(`${ANSWER}0123`);
  assert.equal(came(), `${ANSWER}0123`);
  tap.release();
  await comes(ANSWER + ANSWER);
  assert.deepEqual([tap.connections, tap.said.toString()], [1, "onetwo"]);
  client.end();
  await tap.quiet();
});

test("an end of the server's is the client's at once, whatever was held", async (t) => {
  const { tap, client, served, comes } = await start(t);
  const held = tap.hold(3);
  client.write("one");
  await held;
  await comes("012");
  const closed = once(client, "close");
  served[0]?.resetAndDestroy();
  await closed;
});

test("where nobody listens a client's connection ends", async (t) => {
  const gone = createServer();
  gone.listen(0, "127.0.0.1");
  await once(gone, "listening");
  const { port } = gone.address() as AddressInfo;
  gone.close();
  await once(gone, "close");
  const tap = await startTap(port);
  t.after(() => tap.close());
  const client = connect(tap.port, "127.0.0.1");
  client.on("error", () => undefined);
  await once(client, "close");
  assert.equal(tap.connections, 1);
});
