import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { createMemoryFuse, createMeter, createTimeFuse } from "./limits.ts";

const isCode = (code: string) => (error: unknown) => error instanceof SallyportError && error.code === code;

test("a meter takes up to the limit, and refuses before more leaves", () => {
  const meter = createMeter({ rows: 10, bytes: 100 });
  meter.take(4, 40);
  meter.take(6, 60);
  assert.throws(() => meter.take(1, 0), isCode("limit.rows"));
  assert.throws(() => meter.take(0, 1), isCode("limit.bytes"));
  assert.deepEqual([meter.rows, meter.bytes], [10, 100]);
});

test("a time fuse aborts with limit.time, and not once it is cleared", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const burnt = createTimeFuse({ seconds: 2 });
  const cleared = createTimeFuse({ seconds: 2 });
  cleared.clear();
  t.mock.timers.tick(1999);
  assert.equal(burnt.signal.aborted, false);
  t.mock.timers.tick(1);
  assert.ok(isCode("limit.time")(burnt.signal.reason));
  assert.equal(cleared.signal.aborted, false);
});

test("the memory fuse blows shortly before either limit, and not before that", async () => {
  for (const full of [
    [
      { bytes: 900, mostBytes: 1000 },
      { bytes: 1, mostBytes: 1000 },
    ],
    [
      { bytes: 1, mostBytes: 1000 },
      { bytes: 950, mostBytes: 1000 },
    ],
  ]) {
    const looks = Promise.withResolvers<void>();
    let looked = 0;
    let now = [{ bytes: 899, mostBytes: 1000 }];
    const fuse = createMemoryFuse(1000, () => {
      if (++looked === 3) looks.resolve();
      return now;
    });
    await looks.promise;
    assert.equal(fuse.signal.aborted, false);
    now = full;
    await new Promise((resolve) => fuse.signal.addEventListener("abort", resolve));
    assert.ok(fuse.signal.reason instanceof SallyportError && fuse.signal.reason.code === "limit.memory");
    fuse.clear();
  }
});

test("the memory fuse reads this process", () => {
  const fuse = createMemoryFuse(2 ** 40);
  assert.equal(fuse.signal.aborted, false);
  fuse.clear();
});
