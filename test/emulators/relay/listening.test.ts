import assert from "node:assert/strict";
import { test } from "node:test";
import type { WebSocket } from "ws";
import { type Bench, closing, makeBench, nextAccept, outcome, RULES } from "./clients.ts";
import { mintSas } from "./sas.ts";

const PATH = "agents/a1";
const soon = () => Math.floor(Date.now() / 1000) + 600;

/** The status of a listen, or connect, with this token in the header. */
async function statusOf(
  bench: Bench,
  token: string,
  action: "listen" | "connect" = "listen",
  path = PATH,
): Promise<number> {
  const { status } = await outcome(
    bench.open(bench.url(action, path), { headers: { ServiceBusAuthorization: token } }),
  );
  return status;
}

test("tokens: who may listen where", async (t) => {
  const bench = await makeBench(t, {
    entities: [
      { path: PATH, rules: [{ name: "own", primaryKey: "own-key", rights: ["Listen"] }] },
      { path: "agents/a10" },
    ],
  });
  const { token } = bench;
  const own = { name: "own", primaryKey: "own-key" };
  const cases: [name: string, token: string, path: string, status: number][] = [
    ["own path", token(RULES.listen, PATH), PATH, 101],
    ["whole namespace", token(RULES.listen), PATH, 101],
    ["a path above", token(RULES.listen, "agents/"), PATH, 101],
    ["another case", token(RULES.listen, "AGENTS/A1/"), "Agents/a1", 101],
    ["Manage implies Listen", token(RULES.root, PATH), PATH, 101],
    ["secondary key", token({ name: "listen", primaryKey: "listen-secondary" }, PATH), PATH, 101],
    ["entity rule", token(own, PATH), PATH, 101],
    ["entity rule, namespace scope", token(own), PATH, 403],
    ["entity rule elsewhere", token(own, "agents/a10"), "agents/a10", 401],
    ["prefix that is no segment", token(RULES.listen, PATH), "agents/a10", 403],
    ["other path", token(RULES.listen, "agents/a10"), PATH, 403],
    ["Send is not Listen", token(RULES.send, PATH), PATH, 403],
    ["expired", token(RULES.listen, PATH, -1), PATH, 401],
    ["wrong key", token({ name: "listen", primaryKey: "wrong" }, PATH), PATH, 401],
    ["unknown rule", token({ name: "nobody", primaryKey: "listen-primary" }, PATH), PATH, 401],
    ["other namespace", mintSas(`http://other/${PATH}`, "listen", "listen-primary", soon()), PATH, 403],
    ["port in sr", mintSas(`http://LOCALHOST:443/${PATH}`, "listen", "listen-primary", soon()), PATH, 101],
    ["missing", "", PATH, 401],
    ["no signature", "SharedAccessSignature sr=x&se=1&skn=listen", PATH, 401],
    ["doubled field", `${token(RULES.listen, PATH)}&se=99999999999`, PATH, 401],
    ["a JWT with nobody to take it", "eyJhbGciOiJub25lIn0.e30.", PATH, 401],
    ["unknown path", token(RULES.listen), "agents/none", 404],
    ["unknown path, bad token", "SharedAccessSignature nonsense", "agents/none", 401],
    ["below the entity", token(RULES.listen), `${PATH}/below`, 404],
  ];
  for (const [name, text, path, status] of cases) {
    assert.equal(await statusOf(bench, text, "listen", path), status, name);
  }
});

test("the signature covers sr as it was sent", async (t) => {
  const bench = await makeBench(t);
  const lower = bench.token(RULES.listen, PATH).replaceAll(/sr=([^&]*)/g, (_all, sr) => `sr=${sr.toLowerCase()}`);
  assert.equal(await statusOf(bench, lower), 401);
});

test("senders: right, unknown path, no listener, anonymous entities, token in the query", async (t) => {
  const bench = await makeBench(t, {
    entities: [{ path: PATH }, { path: "open", requiresClientAuthorization: false }],
  });
  const { token } = bench;
  assert.equal(await statusOf(bench, "", "connect"), 401);
  assert.equal(await statusOf(bench, token(RULES.listen), "connect"), 403);
  assert.equal(await statusOf(bench, token(RULES.send), "connect", "nowhere"), 404);
  const alone = await outcome(bench.connect(PATH));
  assert.equal(alone.status, 404);
  assert.match(
    alone.reason,
    /no listeners connected.*TrackingId:[0-9a-f-]{36}_G1, SystemTracker:agents\/a1, Timestamp:/,
  );
  const control = await bench.listen("open");
  const accepting = nextAccept(control);
  const anonymous = outcome(bench.open(bench.url("connect", "open")));
  bench.open((await accepting).address);
  assert.equal((await anonymous).status, 101);
  const inQuery = `&sb-hc-token=${encodeURIComponent(token(RULES.listen, PATH))}`;
  assert.equal((await outcome(bench.open(bench.url("listen", PATH, inQuery)))).status, 101);
});

test("addresses that are no handshake of the protocol", async (t) => {
  const bench = await makeBench(t);
  const origin = `wss://localhost:${bench.relay.controlPort}`;
  const rendezvous = `wss://localhost:${bench.relay.rendezvousPort}`;
  const status = async (url: string) => (await outcome(bench.open(url))).status;
  assert.equal(await status(`${origin}/agents/a1?sb-hc-action=listen`), 404);
  assert.equal(await status(`${origin}/$hc/agents/a1`), 400);
  assert.equal(await status(`${origin}/$hc/agents/a1?sb-hc-action=accept`), 400);
  assert.equal(await status(`${origin}/$hc/agents/a1?sb-hc-action=listen&sb-hc-token=%E0%A4%A`), 400);
  assert.equal(await status(`${rendezvous}/$hc/agents/a1?sb-hc-action=accept&sb-hc-id=1`), 403);
  assert.equal(await status(`${rendezvous}/elsewhere`), 404);
});

test("25 listeners share an entity, a 26th is refused, and each of them is chosen", async (t) => {
  const bench = await makeBench(t);
  const controls: WebSocket[] = [];
  for (let n = 0; n < 25; n++) controls.push(await bench.listen(PATH));
  const refused = await outcome(
    bench.open(bench.url("listen", PATH), { headers: { ServiceBusAuthorization: bench.token(RULES.listen, PATH) } }),
  );
  assert.equal(refused.status, 403);
  assert.match(refused.reason, /QuotaExceeded/);
  assert.equal(bench.relay.stats().listeners, 25);

  // Reject every connection at once, until the last listener has had one. Fairness is random, so no number is promised.
  const chosen = new Set<number>();
  for (const [n, control] of controls.entries()) {
    control.on("message", (data) => {
      chosen.add(n);
      bench.open(`${JSON.parse(data.toString()).accept.address}&sb-hc-statusCode=409&sb-hc-statusDescription=no`);
    });
  }
  while (chosen.size < 25) assert.equal((await outcome(bench.connect(PATH))).status, 409);
});

test("an expired token closes the control channel with 1008, and running sessions go on", async (t) => {
  let aheadMs = 0;
  const bench = await makeBench(t, { now: () => Date.now() + aheadMs, timings: { tokenCheckMs: 5 } });
  const { control, listenerSide, senderSide } = await bench.pair(PATH);
  const closed = closing(control);
  aheadMs = 601_000;
  const { code, reason } = await closed;
  assert.equal(code, 1008);
  assert.match(reason, /expired.*TrackingId:/);
  const received = new Promise((resolve) => listenerSide.on("message", (data) => resolve(data.toString())));
  senderSide.send("still here");
  assert.equal(await received, "still here");
});

test("a renewed token keeps the control channel; a bad one ends it with 1008", async (t) => {
  let aheadMs = 0;
  const bench = await makeBench(t, { now: () => Date.now() + aheadMs, timings: { tokenCheckMs: 5 } });
  const control = await bench.listen(PATH);
  control.send(JSON.stringify({ renewToken: { token: bench.token(RULES.listen, PATH, 3600) } }));
  const ponged = new Promise((resolve) => control.once("pong", resolve));
  control.ping();
  await ponged; // the renewal was read before
  aheadMs = 601_000;
  const accepting = nextAccept(control);
  const senderSide = bench.open(bench.url("connect", PATH), {
    headers: { ServiceBusAuthorization: bench.token(RULES.send, PATH, 3600) },
  });
  bench.open((await accepting).address);
  assert.equal((await outcome(senderSide)).status, 101);
  const closed = closing(control);
  control.send(JSON.stringify({ renewToken: { token: bench.token(RULES.send, PATH, 3600) } }));
  assert.equal((await closed).code, 1008);
});

test("the daily recycle ends the control channel", async (t) => {
  const bench = await makeBench(t, { timings: { recycleMs: 20 } });
  const control = await bench.listen(PATH);
  assert.equal((await closing(control)).code, 1011);
});

test("an idle control channel is forgotten without a word", async (t) => {
  const bench = await makeBench(t, { timings: { idleMs: 40 } });
  const silent = await bench.listen(PATH);
  while (bench.relay.stats().listeners > 0) await new Promise(setImmediate);
  assert.equal(silent.readyState, silent.OPEN);
  assert.equal((await outcome(bench.connect(PATH))).status, 404);
});
