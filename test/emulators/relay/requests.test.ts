import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { test } from "node:test";
import type { WebSocket } from "ws";
import { type Bench, makeBench, messages, RULES } from "./clients.ts";

const PATH = "agents/a1";

type Reply = { status: number; message: string; headers: IncomingMessage["headers"]; body: Buffer };

async function call(bench: Bench, target: string, options: RequestOptions = {}, body?: Buffer): Promise<Reply> {
  const request = httpsRequest(`https://localhost:${bench.relay.controlPort}${target}`, { ca: bench.ca, ...options });
  request.end(body);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const { statusCode = 0, statusMessage = "", headers } = response;
  return { status: statusCode, message: statusMessage, headers, body: Buffer.concat(chunks) };
}

const withToken = (bench: Bench) => ({ ServiceBusAuthorization: bench.token(RULES.send, PATH) });

async function nextRequest(channel: WebSocket) {
  const [data] = await once(channel, "message");
  return JSON.parse(data.toString()).request;
}

test("a request and its response travel over the control channel", async (t) => {
  const bench = await makeBench(t);
  const control = await bench.listen(PATH);
  const arriving = messages(control, 2);
  const calling = call(
    bench,
    `/${PATH}/do?x=1&sb-hc-id=r1&y=%20`,
    { method: "POST", headers: { ...withToken(bench), Authorization: "Basic mine", "X-Own": "1", TE: "trailers" } },
    Buffer.from("question"),
  );
  const [text, body] = await arriving;
  const { request } = JSON.parse(String(text));
  assert.equal(request.id, "r1");
  assert.equal(request.method, "POST");
  assert.equal(request.requestTarget, `/${PATH}/do?x=1&y=%20`);
  assert.equal(request.body, true);
  assert.equal(request.requestHeaders["X-Own"], "1");
  assert.equal(request.requestHeaders.Authorization, "Basic mine");
  assert.equal(request.requestHeaders.Via, "1.1 localhost");
  assert.deepEqual(Object.keys(request.requestHeaders).sort(), ["Authorization", "Via", "X-Own"]);
  assert.deepEqual(body, Buffer.from("question"));
  const response = {
    requestId: "r1",
    statusCode: "207",
    statusDescription: "Many",
    responseHeaders: { "X-Answer": "2", Connection: "close" },
    body: true,
  };
  control.send(JSON.stringify({ response }));
  control.send(Buffer.from("answer"));
  const reply = await calling;
  assert.deepEqual([reply.status, reply.message, reply.body.toString()], [207, "Many", "answer"]);
  assert.equal(reply.headers["x-answer"], "2");
  assert.equal(reply.headers.via, "1.1 localhost");
});

test("a listener that answers 405 at once, as ours do", async (t) => {
  const bench = await makeBench(t);
  const control = await bench.listen(PATH);
  control.on("message", (data) => {
    const { request } = JSON.parse(data.toString());
    control.send(JSON.stringify({ response: { requestId: request.id, statusCode: 405, body: false } }));
  });
  const reply = await call(bench, `/${PATH}`, { headers: withToken(bench) });
  assert.deepEqual([reply.status, reply.body.length], [405, 0]);
});

test("the relay's own answers have no Via: bad token, unknown path, no listener, no answer", async (t) => {
  const bench = await makeBench(t, { timings: { requestMs: 50 } });
  const codes: [target: string, headers: Record<string, string>, status: number, code: string][] = [
    [`/${PATH}`, {}, 401, "TokenMissingOrInvalid"],
    [`/${PATH}`, { Authorization: bench.token(RULES.listen) }, 403, "TokenMissingOrInvalid"],
    ["/nowhere", { Authorization: bench.token(RULES.send) }, 404, "EndpointNotFound"],
    [`/${PATH}`, { Authorization: bench.token(RULES.send) }, 502, "BadGateway"],
  ];
  for (const [target, headers, status, code] of codes) {
    const reply = await call(bench, target, { headers });
    assert.equal(reply.status, status);
    assert.equal(reply.headers.via, undefined);
    const { error } = JSON.parse(reply.body.toString());
    assert.equal(error.code, code);
    assert.match(error.message, /TrackingId:/);
  }
  await bench.listen(PATH);
  const unanswered = await call(bench, `/${PATH}?sb-hc-token=${encodeURIComponent(bench.token(RULES.send))}`);
  assert.equal(unanswered.status, 504);
});

test("Authorization is the relay's only when it asks for a token and finds no other", async (t) => {
  const bench = await makeBench(t, {
    entities: [{ path: PATH }, { path: "open", requiresClientAuthorization: false }],
  });
  for (const [path, expected] of [
    [PATH, undefined],
    ["open", bench.token(RULES.send)],
  ] as const) {
    const control = await bench.listen(path);
    const arriving = nextRequest(control);
    const calling = call(bench, `/${path}`, { headers: { Authorization: bench.token(RULES.send) } });
    const { id, requestHeaders } = await arriving;
    assert.equal(requestHeaders.Authorization === undefined, expected === undefined);
    control.send(JSON.stringify({ response: { requestId: id, statusCode: 204 } }));
    assert.equal((await calling).status, 204);
  }
});

test("a large request comes over a rendezvous, which then serves the sender's next request too", async (t) => {
  const bench = await makeBench(t);
  const control = await bench.listen(PATH);
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: bench.ca });
  t.after(() => agent.destroy());
  const options = { method: "PUT", headers: withToken(bench), agent };
  const announcing = nextRequest(control);
  const big = Buffer.alloc(100_000, 3);
  const calling = call(bench, `/${PATH}`, options, big);
  const announced = await announcing;
  assert.deepEqual(Object.keys(announced), ["address"]);
  assert.equal(new URL(announced.address).searchParams.get("sb-hc-action"), "request");
  const channel = bench.open(announced.address);
  const [text, body] = await messages(channel, 2);
  assert.deepEqual(body, big);
  const first = JSON.parse(String(text)).request;
  channel.send(JSON.stringify({ response: { requestId: first.id, statusCode: 200, body: true } }));
  channel.send(big);
  assert.deepEqual((await calling).body, big);

  const again = call(bench, `/${PATH}`, { ...options, method: "GET" });
  const second = await nextRequest(channel);
  assert.equal(second.method, "GET");
  channel.send(JSON.stringify({ response: { requestId: second.id, statusCode: 204, body: false } }));
  assert.equal((await again).status, 204);
  const closed = new Promise((resolve) => channel.on("close", resolve));
  agent.destroy();
  assert.equal(await closed, 1001);
});

test("a response that HTTP cannot carry becomes a 502", async (t) => {
  const bench = await makeBench(t);
  const control = await bench.listen(PATH);
  control.on("message", (data) => {
    const { id } = JSON.parse(data.toString()).request;
    control.send(
      JSON.stringify({ response: { requestId: id, statusCode: 200, responseHeaders: { "X-Bad": "a\nb" } } }),
    );
  });
  assert.equal((await call(bench, `/${PATH}`, { headers: withToken(bench) })).status, 502);
});
