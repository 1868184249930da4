import assert from "node:assert/strict";
import { test } from "node:test";
import { manualClock } from "./clock.ts";
import { createInlet } from "./inlet.ts";
import { forgetfulJournal } from "./journal.ts";
import type { Message } from "./message.ts";

function open(duplicateWindowMs?: number) {
  const { clock, advance } = manualClock();
  const arrived: [string, number][] = [];
  const inlet = createInlet({
    path: "q",
    clock,
    journal: forgetfulJournal,
    duplicateWindowMs,
    arrive(message) {
      const number = inlet.nextSequenceNumber();
      arrived.push([message.messageId, number]);
      return number;
    },
  });
  const message = (messageId: string, inMs?: number): Message => ({
    messageId,
    ttlMs: undefined,
    scheduledAtMs: inMs === undefined ? undefined : clock.now() + inMs,
    annotations: Buffer.alloc(0),
    bare: Buffer.alloc(0),
  });
  return { inlet, message, advance, arrived };
}

test("a scheduled message arrives when it is due, with a new sequence number", () => {
  const { inlet, message, advance, arrived } = open();
  assert.deepEqual(inlet.accept([message("later", 100), message("now")]), [1, 2]);
  advance(99);
  assert.deepEqual(arrived, [["now", 2]]);
  advance(1);
  assert.deepEqual(arrived.at(-1), ["later", 3]);
  assert.deepEqual([...inlet.scheduled()], []);
});

test("a message scheduled for the past arrives at once", () => {
  const { inlet, message, arrived } = open();
  inlet.accept([message("past", -1)]);
  assert.deepEqual(arrived, [["past", 1]]);
});

test("cancelling takes back all of the numbers or none", () => {
  const { inlet, message, advance, arrived } = open();
  inlet.accept([message("a", 100), message("b", 100)]);
  assert.equal(inlet.cancel([1, 7]), false);
  assert.equal(inlet.cancel([1]), true);
  assert.equal(inlet.cancel([1]), false);
  advance(100);
  assert.deepEqual(arrived, [["b", 3]]);
});

test("a repeated id is swallowed inside the window, counted from the first", () => {
  const { inlet, message, advance, arrived } = open(1000);
  assert.deepEqual(inlet.accept([message("a"), message("a"), message("b")]), [1, 0, 2]);
  advance(999);
  assert.deepEqual(inlet.accept([message("a")]), [0]);
  advance(1);
  assert.deepEqual(inlet.accept([message("a")]), [3]);
  assert.equal(arrived.length, 3);
});

test("without duplicate detection ids may repeat", () => {
  const { inlet, message, arrived } = open();
  inlet.accept([message("a"), message("a")]);
  assert.equal(arrived.length, 2);
});
