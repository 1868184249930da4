import assert from "node:assert/strict";
import { test } from "node:test";
import { contactOrder } from "./order.ts";

const REQUEST = String.raw`7  write(21</s/agent/journal/journal.jsonl>, "{\"seq\":9,\"at\":\"2026-01-02T03:04:05.006Z\",\"prev\":\"abc\",\"event\":\"request\",\"poli"..., 400) = 400`;
const END = REQUEST.replace("request", "end");
const SYNC = "7  fdatasync(21</s/agent/journal/journal.jsonl>) = 0";
const BEGIN_SYNC = "7  fdatasync(21</s/agent/journal/journal.jsonl> <unfinished ...>";
const SYNCED = "7  <... fdatasync resumed>)          = 0";
const OTHER_SYNC = "7  fsync(22</s/agent/run/status.json.new>) = 0";
const CONTACT = `8  connect(23<socket:[1]>, {sa_family=AF_INET, sin_port=htons(1433), sin_addr=inet_addr("127.0.0.1")}, 16) = -1 EINPROGRESS`;
const ELSEWHERE = CONTACT.replace("1433", "443");
const order = (...lines: string[]) => contactOrder(`${lines.join("\n")}\n`, 1433);

test("a contact after the line was written and synced is in order, also several in a session", () => {
  assert.deepEqual(order(ELSEWHERE, REQUEST, SYNC, CONTACT, CONTACT, END, SYNC), { contacts: 2, faults: [] });
  assert.deepEqual(order(REQUEST, BEGIN_SYNC, ELSEWHERE, SYNCED, CONTACT, END), { contacts: 1, faults: [] });
});

for (const [what, lines] of Object.entries({
  "before any line": [CONTACT, REQUEST, SYNC],
  "before the sync": [REQUEST, CONTACT, SYNC],
  "while the sync still runs": [REQUEST, BEGIN_SYNC, CONTACT, SYNCED],
  "after a sync that failed": [REQUEST, SYNC.replace("= 0", "= -1 EIO (Input/output error)"), CONTACT],
  "after a sync of another file": [REQUEST, OTHER_SYNC, CONTACT],
  "after a sync that came before the line": [SYNC, REQUEST, CONTACT],
  "after the session's end": [REQUEST, SYNC, END, SYNC, CONTACT],
})) {
  test(`a contact ${what} is a fault`, () => assert.equal(order(...lines).faults.length, 1));
}
