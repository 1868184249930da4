import assert from "node:assert/strict";
import { test } from "node:test";
import { isRendezvousAddress, readSenderHeaders, rejectAddress } from "./rendezvous.ts";

const NAMESPACE = "contoso.servicebus.windows.net";
const allowed = (address: string, hosts: string[] = []): boolean => isRendezvousAddress(address, NAMESPACE, hosts);

test("a gateway beside the namespace is allowed, on 443 only", () => {
  assert.equal(allowed("wss://g12-prod-am3-010-sb.servicebus.windows.net/$hc/a?sb-hc-action=accept"), true);
  assert.equal(allowed("wss://g12-prod-am3-010-sb.servicebus.windows.net:443/$hc/a"), true);
  assert.equal(allowed("wss://g12-prod-am3-010-sb.servicebus.windows.net:8443/$hc/a"), false);
});

for (const address of [
  "ws://g1.servicebus.windows.net/$hc/a",
  "https://g1.servicebus.windows.net/$hc/a",
  "wss://attacker.example/$hc/a",
  "wss://servicebus.windows.net.attacker.example/$hc/a",
  "wss://evilservicebus.windows.net/$hc/a",
  "wss://g1.servicebus.windows.net@attacker.example/$hc/a",
  "wss://user:word@g1.servicebus.windows.net/$hc/a",
  "wss://g1.servicebus.windows.net/other",
  "wss://127.0.0.1/$hc/a",
  "wss://g1.servicebus.windows.net/$hc/a#",
  "wss://g1.servicebus.windows.net/$hc/a?sb-hc-action=accept#x",
  "not an address",
]) {
  test(`${address} is refused`, () => assert.equal(allowed(address), false));
}

test("a configured host is allowed exactly as written", () => {
  const hosts = ["localhost:7001", "relay.example"];
  assert.equal(allowed("wss://localhost:7001/$hc/a", hosts), true);
  assert.equal(allowed("wss://relay.example/$hc/a", hosts), true);
  assert.equal(allowed("wss://localhost:7002/$hc/a", hosts), false);
  assert.equal(allowed("wss://sub.relay.example/$hc/a", hosts), false);
});

test("a namespace of two labels or an address has no parent domain to trust", () => {
  assert.equal(isRendezvousAddress("wss://other.local/$hc/a", "relay.local", []), false);
  assert.equal(isRendezvousAddress("wss://9.0.0.1/$hc/a", "127.0.0.1", []), false);
});

const CHALLENGE = Buffer.alloc(32, 7).toString("base64url");

test("headers are found whatever their case; a ping says so", () => {
  assert.deepEqual(readSenderHeaders({ "sallyport-CHALLENGE": CHALLENGE }), {
    ok: true,
    challenge: CHALLENGE,
    ping: false,
  });
  const ping = readSenderHeaders({ "Sallyport-Challenge": CHALLENGE, "sallyport-purpose": "ping" });
  assert.equal(ping.ok && ping.ping, true);
});

for (const [what, headers] of [
  ["no challenge", {}],
  ["two challenges", { "Sallyport-Challenge": CHALLENGE, "sallyport-challenge": CHALLENGE }],
  ["two values", { "Sallyport-Challenge": [CHALLENGE, CHALLENGE] }],
  ["joined values", { "Sallyport-Challenge": `${CHALLENGE}, ${CHALLENGE}` }],
  ["31 bytes", { "Sallyport-Challenge": CHALLENGE.slice(1) }],
  ["another spelling of the same bytes", { "Sallyport-Challenge": `${CHALLENGE.slice(0, 42)}d` }],
  ["an unknown purpose", { "Sallyport-Challenge": CHALLENGE, "Sallyport-Purpose": "admin" }],
] as const) {
  test(`${what} is turned down`, () => assert.equal(readSenderHeaders(headers).ok, false));
}

test("the reject address carries status and description", () => {
  const address = rejectAddress("wss://g/$hc/a?sb-hc-action=accept", 503, "agent.busy");
  assert.equal(new URL(address).searchParams.get("sb-hc-statusCode"), "503");
  assert.equal(new URL(address).searchParams.get("sb-hc-statusDescription"), "agent.busy");
});
