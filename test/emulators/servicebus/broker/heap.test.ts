import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createHeap } from "./heap.ts";

test("elements leave in order, whatever was removed from the middle", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer(), fc.boolean())), (elements) => {
      const heap = createHeap<number>((a, b) => a < b);
      const entries = elements.map(([value, removed]) => ({ entry: heap.push(value), removed }));
      for (const { entry, removed } of entries) if (removed) heap.remove(entry);
      const left: number[] = [];
      while (heap.size() > 0) left.push(heap.shift()!);
      const kept = elements.filter(([, removed]) => !removed).map(([value]) => value);
      assert.deepEqual(
        left,
        kept.sort((a, b) => a - b),
      );
    }),
  );
});

test("removing what has left already changes nothing", () => {
  const heap = createHeap<number>((a, b) => a < b);
  const one = heap.push(1);
  heap.push(2);
  assert.equal(heap.shift(), 1);
  heap.remove(one);
  assert.equal(heap.size(), 1);
  assert.equal(heap.first(), 2);
});
