import assert from "node:assert/strict";
import { test } from "node:test";
import { countOf } from "./write.ts";

test("what a trigger gives before it is no count, and without one nothing is committed", () => {
  assert.equal(countOf([{ changed: 3 }]), 3);
  assert.equal(countOf([{ changed: 0 }]), 0);
  assert.equal(countOf([{ Id: 7 }, { changed: "of the trigger" }, { changed: 2 }]), 2);
  for (const rows of [[], [{ Id: 7 }], [{ changed: 2 }, { Id: 7 }], [{ changed: null }], [{ changed: "2 rows" }]]) {
    assert.throws(() => countOf(rows), { code: "sql.failed" });
  }
});
