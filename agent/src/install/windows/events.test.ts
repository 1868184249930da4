import assert from "node:assert/strict";
import { test } from "node:test";
import { EVENTS, eventOf, type HostNote } from "./events.ts";

const NOTES: readonly HostNote[] = [
  { id: "started", pid: 1 },
  { id: "stopped" },
  { id: "ended", code: null },
  { id: "notStarted", why: "ENOENT" },
  { id: "gaveUp", code: 78 },
  { id: "killed", afterSeconds: 90 },
  { id: "rights", faults: ["a", "b"] },
  { id: "updated", version: "1.1.0", from: "1.0.0" },
  { id: "takenBack", version: "1.1.0", from: "1.0.0", why: "no canary" },
  { id: "refused", version: "1.1.0", why: "a signature" },
  { id: "updaterFailed", why: "EIO" },
];

test("each note is an event with a number of its own, which EventCreate.exe has a text for", () => {
  assert.deepEqual(NOTES.map(({ id }) => id).sort(), Object.keys(EVENTS).sort());
  const numbers = NOTES.map((note) => eventOf(note).number);
  assert.equal(new Set(numbers).size, numbers.length);
  assert.ok(numbers.every((number) => number >= 1 && number <= 1000));
  assert.equal(eventOf({ id: "gaveUp", code: 78 }).type, 1);
  assert.match(eventOf({ id: "ended", code: 3 }).text, /with 3/);
});

test("a text is never longer than the event log takes", () => {
  const { text } = eventOf({
    id: "rights",
    faults: Array.from({ length: 900 }, (_, index) => `fault ${index} ${"x".repeat(80)}`),
  });
  assert.equal(text.length, 4_000);
});
