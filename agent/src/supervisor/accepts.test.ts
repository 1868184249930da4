import assert from "node:assert/strict";
import { test } from "node:test";
import { createAccepts } from "./accepts.ts";
import type { Accepted } from "./listener.ts";
import type { Offer } from "./session-deps.ts";

const CHALLENGE = Buffer.alloc(32, 7).toString("base64url");
const silent = { warn: () => {}, error: () => {}, info: () => {} } as never;

function open(code?: "agent.busy", fault?: Error) {
  const begun: Offer[] = [];
  const rejected: string[] = [];
  const ended: ((error?: Error) => void)[] = [];
  const stopped: string[] = [];
  let released = 0;
  const accepts = createAccepts({
    admission: {
      running: 0,
      admit: () => (code === undefined ? { ok: true, release: () => (released += 1) } : { ok: false, code }),
    },
    reject: (_address, status, description) => rejected.push(`${status} ${description}`),
    begin: (offer) => {
      begun.push(offer);
      if (fault !== undefined) throw fault;
      const connection = begun.length === 1 ? "erp" : undefined;
      return {
        ended: new Promise((resolve, reject) =>
          ended.push((error) => (error === undefined ? resolve() : reject(error))),
        ),
        ping: offer.ping,
        connection,
        finish: () => stopped.push("finish"),
        stop: (why) => stopped.push(`${connection} ${why}`),
      };
    },
    turnedDownPing: (id) => stopped.push(`ping ${id}`),
    namespaceHost: () => "contoso.servicebus.windows.net",
    rendezvousHosts: [],
    log: silent,
  });
  return { accepts, begun, rejected, ended, stopped, released: () => released };
}

const accept = (change: Partial<Accepted> = {}): Accepted => ({
  do: "accept",
  address: "wss://g1.servicebus.windows.net/$hc/a?sb-hc-action=accept&sb-hc-id=1",
  id: "1",
  headers: { "Sallyport-Challenge": CHALLENGE },
  ...change,
});

test("a good accept begins one session; the same again begins none", async () => {
  const { accepts, begun, rejected, ended, released } = open();
  accepts.onAccept(accept());
  accepts.onAccept(accept());
  assert.deepEqual(begun, [{ address: accept().address, challenge: CHALLENGE, ping: false }]);
  assert.deepEqual(rejected, []);
  assert.equal(accepts.gateway, "g1.servicebus.windows.net:443");
  for (const end of ended) end();
  await accepts.idle();
  assert.equal(released(), 1);
});

test("a forged address is neither dialled nor turned down: nothing of ours goes there", () => {
  const { accepts, begun, rejected } = open();
  accepts.onAccept(accept({ address: "wss://attacker.example/$hc/a" }));
  assert.deepEqual([begun, rejected, accepts.gateway], [[], [], null]);
});

test("no challenge is 400, no place is 503 with its code", () => {
  const first = open();
  first.accepts.onAccept(accept({ headers: {} }));
  assert.deepEqual(first.rejected, ["400 protocol.order"]);
  const second = open("agent.busy");
  second.accepts.onAccept(accept());
  assert.deepEqual(second.rejected, ["503 agent.busy"]);
});

test("a connection that left the policy is cut, others go on", () => {
  const { accepts, stopped } = open();
  accepts.onAccept(accept());
  accepts.onAccept(accept({ address: `${accept().address}2` }));
  accepts.stopWithout(["crm"]);
  assert.deepEqual(stopped, ["erp policy.denied"]);
});

test("a session whose end fails gives its place back, and ends nothing else", async () => {
  const { accepts, ended, released } = open();
  accepts.onAccept(accept());
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", onUnhandled);
  ended[0]!(new Error("ENOSPC"));
  await accepts.idle();
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", onUnhandled);
  assert.equal(released(), 1);
  assert.deepEqual(unhandled, []);
});

test("a session that cannot begin gives its place back, and its sender is told to come later", async () => {
  const { accepts, rejected, released } = open(undefined, new Error("ENOSPC"));
  accepts.onAccept(accept());
  assert.deepEqual([released(), rejected, accepts.served], [1, ["503 agent.busy"], 0]);
  await accepts.idle();
});

test("a canary that is turned down is told of, any other session is not", () => {
  const { accepts, rejected, stopped } = open("agent.busy");
  accepts.onAccept(accept());
  const headers = { "sallyport-challenge": CHALLENGE, "sallyport-purpose": "ping" };
  accepts.onAccept(accept({ address: `${accept().address}2`, id: "2", headers }));
  assert.deepEqual(rejected, ["503 agent.busy", "503 agent.busy"]);
  assert.deepEqual(stopped, ["ping 2"]);
});

test("a ping is not stopped by a lock that comes while it is answered", () => {
  const { accepts, stopped } = open();
  const headers = { "sallyport-challenge": CHALLENGE, "sallyport-purpose": "ping" };
  accepts.onAccept(accept());
  accepts.onAccept(accept({ address: `${accept().address}2`, id: "2", headers }));
  accepts.stopAll("agent.locked", "The agent's owner locked it.");
  assert.deepEqual(stopped, ["erp agent.locked"]);
});
