import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { manualClock } from "./clock.ts";
import { forgetfulJournal } from "./journal.ts";
import type { Message } from "./message.ts";
import { createQueue, type Delivery, type Queue, type QueueSettings, type ReceiveMode } from "./queue.ts";

const SETTINGS: QueueSettings = { lockMs: 1000, maxDeliveries: 3, defaultTtlMs: Infinity, deadLetterOnExpiry: false };

function open(settings: Partial<QueueSettings> = {}) {
  const { clock, advance } = manualClock();
  const amended: Record<string, unknown>[] = [];
  const world = {
    clock,
    journal: forgetfulJournal,
    amend(message: Message, changes: object) {
      amended.push({ ...changes });
      return message;
    },
  };
  const deadLetters = createQueue("q/$DeadLetterQueue", { ...SETTINGS, maxDeliveries: Infinity }, world);
  const queue = createQueue("q", { ...SETTINGS, ...settings }, { ...world, deadLetters });
  let next = 1;
  const send = (messageId: string, ttlMs?: number) => {
    const message = { messageId, ttlMs, scheduledAtMs: undefined, annotations: Buffer.alloc(0), bare: Buffer.alloc(0) };
    queue.enqueue(message, next);
    next += 1;
  };
  return { queue, deadLetters, send, advance, clock, amended };
}

/** A consumer with a number of free places. */
function receive(queue: Queue, places: number, mode: ReceiveMode = "peekLock") {
  const got: Delivery[] = [];
  const stop = queue.consume({ mode, ready: () => got.length < places, deliver: (delivery) => got.push(delivery) });
  queue.pump();
  return { got, stop };
}

function take(queue: Queue): Delivery {
  const { got, stop } = receive(queue, 1);
  stop();
  assert.equal(got.length, 1, "there was no message to take");
  return got[0]!;
}

const isEmpty = (queue: Queue) => [...queue.messages()].length === 0;
const idsOf = (deliveries: Delivery[]) => deliveries.map(({ stored }) => stored.message.messageId);

describe("delivery", () => {
  test("in the order of sequence numbers, to whoever has room", () => {
    const { queue, send } = open();
    for (const id of ["a", "b", "c"]) send(id);
    assert.deepEqual(idsOf(receive(queue, 2).got), ["a", "b"]);
    assert.deepEqual(idsOf(receive(queue, 2).got), ["c"]);
  });

  test("competing consumers take turns", () => {
    const { queue, send } = open();
    const [one, two] = [receive(queue, 10), receive(queue, 10)];
    for (const id of ["a", "b", "c", "d"]) send(id);
    assert.deepEqual(
      [idsOf(one.got), idsOf(two.got)],
      [
        ["a", "c"],
        ["b", "d"],
      ],
    );
  });

  test("receive-and-delete leaves nothing behind", () => {
    const { queue, send } = open();
    send("a");
    const { got } = receive(queue, 1, "receiveAndDelete");
    assert.equal(got[0]?.lock, undefined);
    assert.ok(isEmpty(queue));
  });
});

describe("locks", () => {
  test("an expired lock gives the message back to its old place, and the token is worth nothing", () => {
    const { queue, send, advance } = open();
    send("a");
    const { lock } = take(queue);
    send("b");
    advance(1000);
    assert.equal(queue.settle(lock!.token, { to: "complete" }), "lockLost");
    assert.equal(queue.renew(lock!.token), undefined);
    const again = take(queue);
    assert.equal(again.stored.message.messageId, "a");
    assert.equal(again.stored.deliveries, 1);
  });

  test("renewing starts the duration anew", () => {
    const { queue, send, advance, clock } = open();
    send("a");
    const { lock } = take(queue);
    advance(900);
    assert.equal(queue.renew(lock!.token), clock.now() + 1000);
    advance(999);
    assert.equal(queue.settle(lock!.token, { to: "complete" }), "settled");
    assert.ok(isEmpty(queue));
  });

  test("a message is settled once", () => {
    const { queue, send } = open();
    send("a");
    const { lock } = take(queue);
    assert.equal(queue.settle(lock!.token, { to: "abandon" }), "settled");
    assert.equal(queue.settle(lock!.token, { to: "complete" }), "lockLost");
  });
});

describe("dead letters", () => {
  test("after MaxDeliveryCount deliveries, whether abandoned or lost", () => {
    const { queue, deadLetters, send, advance, amended } = open({ maxDeliveries: 2 });
    send("a");
    queue.settle(take(queue).lock!.token, { to: "abandon" });
    take(queue);
    advance(1000);
    assert.ok(isEmpty(queue));
    const dead = take(deadLetters).stored;
    assert.deepEqual([dead.message.messageId, dead.deadLetterSource, dead.deliveries], ["a", "q", 2]);
    assert.equal(amended.at(-1)?.DeadLetterReason, "MaxDeliveryCountExceeded");
  });

  test("carry the reason that the receiver gave", () => {
    const { queue, deadLetters, send, amended } = open();
    send("a");
    queue.settle(take(queue).lock!.token, {
      to: "deadLetter",
      reason: "poison",
      description: "bad",
      changes: { seen: 1 },
    });
    assert.deepEqual(amended.at(-1), { seen: 1, DeadLetterReason: "poison", DeadLetterErrorDescription: "bad" });
    assert.equal([...deadLetters.messages()].length, 1);
  });

  test("stay in the dead-letter queue, however often they are looked at", () => {
    const { queue, deadLetters, send } = open();
    send("a");
    queue.settle(take(queue).lock!.token, { to: "deadLetter" });
    for (let times = 0; times < 20; times += 1) deadLetters.settle(take(deadLetters).lock!.token, { to: "abandon" });
    const { lock } = take(deadLetters);
    assert.equal(deadLetters.settle(lock!.token, { to: "deadLetter" }), "notAllowed");
    assert.equal(deadLetters.settle(lock!.token, { to: "complete" }), "settled");
  });
});

describe("time to live", () => {
  test("the shorter of the message's and the queue's counts", () => {
    const { queue, send, advance } = open({ defaultTtlMs: 500 });
    send("short", 100);
    send("long", 10_000);
    advance(100);
    assert.deepEqual(
      [...queue.messages()].map(({ message }) => message.messageId),
      ["long"],
    );
    advance(400);
    assert.ok(isEmpty(queue));
  });

  test("expired messages become dead letters where that is wanted", () => {
    const { deadLetters, send, advance, amended } = open({ deadLetterOnExpiry: true });
    send("a", 100);
    advance(100);
    assert.equal([...deadLetters.messages()].length, 1);
    assert.equal(amended.at(-1)?.DeadLetterReason, "TTLExpiredException");
  });

  test("a locked message can still be completed, and expires when its lock ends otherwise", () => {
    const { queue, send, advance } = open();
    send("completed", 100);
    send("lost", 100);
    const [completed] = [take(queue), take(queue)];
    advance(500);
    assert.equal(queue.settle(completed.lock!.token, { to: "complete" }), "settled");
    advance(500);
    assert.ok(isEmpty(queue));
  });

  test("a deferred message does not expire", () => {
    const { queue, send, advance } = open();
    send("a", 100);
    queue.settle(take(queue).lock!.token, { to: "defer" });
    advance(10_000);
    assert.equal(queue.receiveDeferred([1], "peekLock")?.length, 1);
  });
});

describe("deferred messages", () => {
  test("come only to those who ask for their number", () => {
    const { queue, send } = open();
    send("a");
    queue.settle(take(queue).lock!.token, { to: "defer" });
    assert.deepEqual(receive(queue, 1).got, []);
    assert.equal(queue.receiveDeferred([1, 2], "peekLock"), undefined, "one of the two does not exist");
    const [delivery] = queue.receiveDeferred([1], "peekLock")!;
    assert.equal(delivery?.stored.deliveries, 1);
    assert.equal(queue.receiveDeferred([1], "peekLock"), undefined, "it is locked");
    queue.settle(delivery!.lock!.token, { to: "abandon" });
    assert.equal(queue.receiveDeferred([1], "receiveAndDelete")?.length, 1, "abandoning leaves it deferred");
    assert.ok(isEmpty(queue));
  });
});
