import assert from "node:assert/strict";
import { test } from "node:test";
import { type Check, runChecks, type Verdict } from "./check.ts";

const check = (component: string, look: Check["look"]): Check => ({ id: "disk", component, target: "-", look });
const ok: Verdict = { status: "ok", details: "fine" };

test("findings come in the order of the checks, each by itself: one that throws or never ends takes no other with it", async () => {
  const findings = await runChecks(
    [
      check(
        "ends by itself",
        (signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve(ok))),
      ),
      check("throws", () => Promise.reject(new Error("EACCES"))),
      check("never ends", () => new Promise(() => undefined)),
      check("fine", async () => ok),
    ],
    50,
  );
  assert.deepEqual(
    findings.map(({ component, status, details }) => [component, status, details]),
    [
      ["ends by itself", "ok", "fine"],
      ["throws", "FAIL", "EACCES"],
      ["never ends", "FAIL", "no answer within 0.05 s"],
      ["fine", "ok", "fine"],
    ],
  );
  for (const { status, advice } of findings) assert.equal(status === "ok", advice === undefined);
});
