import assert from "node:assert/strict";
import { test } from "node:test";
import { createFreeFrameGate, createReceiveWindow, createSendWindow } from "@sallyport/shared/protocol/credit.ts";
import { MAX_WINDOW_BYTES } from "@sallyport/shared/protocol/request.ts";
import fc from "fast-check";

const MiB = 2 ** 20;
const step = fc.oneof(
  fc.record({ do: fc.constant("take" as const), bytes: fc.integer({ min: 1, max: 10 * MiB }) }),
  fc.record({ do: fc.constant("grant" as const), bytes: fc.integer({ min: 0, max: 20 * MiB }) }),
  fc.record({ do: fc.constant("abort" as const), which: fc.nat() }),
);

interface Taker {
  readonly bytes: number;
  readonly controller: AbortController;
  state: "waiting" | "served" | "gone";
}

test("credit is never below zero nor over 64 MiB, takers are served in order, and none sleeps on bytes it could take", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: MiB }), fc.array(step, { maxLength: 40 }), async (initial, steps) => {
      const window = createSendWindow(initial);
      const takers: Taker[] = [];
      const order: Taker[] = [];
      let balance = initial;
      for (const each of steps) {
        if (each.do === "take") {
          const taker: Taker = { bytes: each.bytes, controller: new AbortController(), state: "waiting" };
          takers.push(taker);
          void window.take(each.bytes, taker.controller.signal).then(
            () => {
              taker.state = "served";
              order.push(taker);
            },
            () => {
              taker.state = "gone";
            },
          );
        } else if (each.do === "grant") {
          const before = window.available;
          const tooMuch = before + each.bytes > MAX_WINDOW_BYTES;
          if (tooMuch) assert.throws(() => window.grant(each.bytes), { code: "protocol.credit" });
          else window.grant(each.bytes);
          if (!tooMuch) balance += each.bytes;
        } else if (takers.length > 0) takers[each.which % takers.length]!.controller.abort();
        await new Promise(setImmediate);
        assert.ok(window.available >= 0 && window.available <= MAX_WINDOW_BYTES);
        const first = takers.find(({ state }) => state === "waiting");
        assert.ok(first === undefined || first.bytes > window.available, "a lost wake-up");
        const served = takers.filter(({ state }) => state === "served");
        assert.equal(window.available, balance - served.reduce((sum, { bytes }) => sum + bytes, 0));
        assert.ok(takers.every(({ state, controller }) => state !== "waiting" || !controller.signal.aborted));
      }
      assert.deepEqual(
        order,
        takers.filter(({ state }) => state === "served"),
      );
    }),
    { numRuns: 200 },
  );
});

test("two ends that keep the rules never break them, and never wait for each other", () => {
  const record = fc.integer({ min: 19, max: 262_163 });
  fc.assert(
    fc.property(
      fc.integer({ min: MiB, max: 8 * MiB }),
      fc.array(fc.tuple(record, fc.boolean()), { maxLength: 200 }),
      (windowBytes, records) => {
        const receiver = createReceiveWindow(windowBytes);
        let credit = windowBytes;
        let held: number[] = [];
        const stageAll = () => {
          for (const bytes of held) credit += receiver.staged(bytes);
          held = [];
        };
        for (const [bytes, stageNow] of records) {
          if (bytes > credit) stageAll();
          assert.ok(bytes <= credit, "all is staged, and still no record fits");
          credit -= bytes;
          receiver.arrived(bytes);
          held.push(bytes);
          if (stageNow) stageAll();
          assert.ok(credit <= windowBytes);
        }
      },
    ),
  );
});

test("the gate takes a frame exactly when fewer than 200 came in the ten seconds before", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 120 }), { maxLength: 1000 }), (gaps) => {
      const gate = createFreeFrameGate();
      const taken: number[] = [];
      let nowMs = 0;
      for (const gap of gaps) {
        nowMs += gap;
        const recent = taken.filter((at) => nowMs - at < 10_000).length;
        if (recent >= 200) return assert.throws(() => gate(nowMs), { code: "protocol.order" });
        gate(nowMs);
        taken.push(nowMs);
      }
    }),
  );
});
