import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { isRendezvousAddress } from "./supervisor/rendezvous.ts";

const MINIMAL = `
v: 1
origin: https://sallyport.example
agent: 0123456789abcdef0123456789abcdef
tenant: contoso
site: oslo
`;
const parse = (more = "") => parseConfig(MINIMAL + more, "agent.yaml");

test("what is not said has its default", () => {
  const config = parse();
  assert.equal(config.maxSessions, 4);
  assert.equal(config.drainSeconds, 60);
  assert.equal(config.executorMemory, 512 * 2 ** 20);
  assert.equal(config.channel, "hyco-ws");
  assert.deepEqual(config.journal, { maxBytes: 2 ** 30, maxDays: 400 });
  assert.deepEqual(config.rendezvousHosts, []);
});

for (const [what, more, word] of [
  ["an unknown key", "colour: red", "colour"],
  ["an unknown key inside", "journal: { syslog: udp }", "syslog"],
  ["a size without a unit", "executorMemory: 512", "executorMemory"],
  ["too little memory", "executorMemory: 64MiB", "192MiB"],
  ["an unknown channel", "channel: tcp", "channel"],
  ["a proxy by https", "proxy: https://proxy:1", "proxy"],
  ["a proxy's password that is no UTF-8", "proxy: http://svc:p%E4ss@proxy:3128", "%C3%A4"],
  ["a proxy's password with half an escape", "proxy: http://svc:50%@proxy:3128", "%40"],
  ["a duplicate key", "maxSessions: 1\nmaxSessions: 2", "unique"],
  ["an anchor", "tenant2: &x y", "anchors"],
  ["a rendezvous host with a path", "rendezvousHosts: [localhost:1/x]", "rendezvousHosts"],
] as const) {
  test(`${what} is refused, and the message names it`, () => {
    assert.throws(
      () => parse(more),
      (error) => error instanceof ConfigError && error.message.includes(word),
    );
  });
}

test("a proxy's password may have any letter, percent-encoded", () => {
  const proxy = "http://svc:p%C3%A4ss%40%25@proxy:3128";
  assert.equal(parse(`proxy: ${proxy}`).proxy, proxy);
});

test("a rendezvous host is one whatever its case", () => {
  const { rendezvousHosts } = parse("rendezvousHosts: [Relay.Example, LOCALHOST:7001]");
  assert.deepEqual(rendezvousHosts, ["relay.example", "localhost:7001"]);
  const address = "wss://RELAY.example/$hc/a";
  assert.ok(isRendezvousAddress(address, "contoso.servicebus.windows.net", rendezvousHosts));
});

for (const origin of [
  "http://sallyport.example",
  "https://sallyport.example/api",
  "https://u:p@sallyport.example",
  "sallyport.example",
]) {
  test(`the origin ${origin} is refused`, () => {
    assert.throws(() => parseConfig(MINIMAL.replace("https://sallyport.example", origin), "agent.yaml"), ConfigError);
  });
}

test("journal.syslog: a target with its port, and authorities for TLS only", () => {
  const syslog = (line: string) => parse(`journal: { syslog: ${line} }\n`).journal.syslog;
  assert.deepEqual(syslog("{ to: 'tls://siem.corp.example', ca: siem.pem }"), {
    to: { transport: "tls", host: "siem.corp.example", port: 6514 },
    ca: "siem.pem",
  });
  for (const wrong of ["{ to: 'https://siem' }", "{ to: 'tcp://siem:514', ca: siem.pem }", "'tcp://siem'", "{}"]) {
    assert.throws(() => syslog(wrong), /journal\.syslog/, wrong);
  }
});
