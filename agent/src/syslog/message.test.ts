import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeLine, hashLine, type JournalLine } from "../journal/line.ts";
import { framed, syslogMessage } from "./message.ts";

const line: JournalLine = { seq: 1, at: "2026-01-02T03:04:05.006Z", event: "request", decision: "allow" };
const machine = { host: "erp-host-1", pid: 4312 };
const message = (over: Partial<JournalLine> = {}, of = machine) =>
  syslogMessage({ ...line, ...over }, encodeLine({ ...line, ...over }), of).toString();

test("priority, version, time, host, name, process, event, no structured data, and the line itself", () => {
  assert.equal(
    message(),
    '<110>1 2026-01-02T03:04:05.006Z erp-host-1 sallyport 4312 request - {"seq":1,"at":"2026-01-02T03:04:05.006Z","event":"request","decision":"allow"}',
  );
});

test("what somebody should look at is a warning, the agent's own acts are notices", () => {
  const severity = (over: Partial<JournalLine>) => Number(/^<(\d+)>/.exec(message(over))?.[1]) % 8;
  assert.equal(severity({ decision: "deny", code: "policy.denied" }), 4);
  assert.equal(severity({ event: "end", code: "sql.timeout" }), 4);
  assert.equal(severity({ event: "lock", decision: "deny" }), 4);
  assert.equal(severity({ event: "rotate" }), 5);
  assert.equal(severity({ event: "token" }), 6);
});

test("a host's name that a header cannot hold is left out", () => {
  assert.match(message({}, { host: "größe host", pid: 1 }), / grehost sallyport 1 /);
  assert.match(message({}, { host: "ö", pid: 1 }), /Z - sallyport 1 /);
});

test("the message has the line's bytes, so that the chain can be checked where it was collected", () => {
  const bytes = encodeLine({ ...line, object: "sales.Å" });
  const text = syslogMessage({ ...line, object: "sales.Å" }, bytes, machine);
  const copied = Buffer.concat([text.subarray(text.indexOf("{")), Buffer.from("\n")]);
  assert.equal(hashLine(copied), hashLine(bytes));
});

test("frames: octets are counted, not characters", () => {
  const text = Buffer.from("Å");
  assert.deepEqual(
    (["udp", "tcp", "tls", "unix"] as const).map((transport) => framed(text, transport).toString()),
    ["Å", "2 Å", "2 Å", "Å\n"],
  );
});
