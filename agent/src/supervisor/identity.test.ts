/** A new identity that the orchestrator does not take costs the agent nothing that its old one gives. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { generateKeyPair } from "@sallyport/shared/crypto/identity.ts";
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import { systemClock } from "../clock.ts";
import { adoptNewKeys, storeNewKeys } from "../keys.ts";
import { makeFolders, type Pinned, statePaths } from "../state.ts";
import { createIdentityKeeper } from "./identity.ts";
import type { TokenReport, TokenResult } from "./tokens.ts";

const REPORT = { journal: null, policy: "p".repeat(43), locked: false, draining: false, version: "1.0.0" };
const ISSUED = { ok: true, answer: {}, offsetMs: 0 } as unknown as TokenResult;
const PINNED = {
  agent: "a".repeat(32),
  tenant: "contoso",
  site: "oslo",
  origin: "https://sallyport.example",
} as Pinned;

/** A keeper whose key is due, and what it asked: by which key, and whether it was to rotate. */
async function keeper(
  t: TestContext,
  answer: (asked: { old: boolean; rotates: boolean }) => ErrorCode | undefined,
  lifeDays = 0,
) {
  const root = mkdtempSync(join(tmpdir(), "sallyport-identity-"));
  t.after(() => rmSync(root, { recursive: true }));
  const paths = statePaths(join(root, "agent"));
  makeFolders(paths);
  storeNewKeys(paths, await generateKeyPair("EdDSA"), { publicKey: Buffer.alloc(1216, 1), seed: Buffer.alloc(32, 2) });
  adoptNewKeys(paths);
  const asked: string[] = [];
  const warned: string[] = [];
  const identity = await createIdentityKeeper({
    paths,
    pinned: () => PINNED,
    lifeDays,
    request: async (signer, { rotate }: TokenReport) => {
      const by = { old: signer.kid === identity.signer.kid, rotates: rotate !== undefined };
      asked.push(`${by.old ? "old" : "new"}${by.rotates ? " rotates" : ""}`);
      const code = answer(by);
      return code === undefined ? ISSUED : { ok: false, code, why: "" };
    },
    rotated: () => assert.fail("nobody confirmed it"),
    clock: systemClock,
    log: { info() {}, warn: (_facts: object, text: string) => warned.push(text) } as never,
  });
  const ask = () => identity.ask(REPORT, new AbortController().signal);
  return { ask, asked, warned, identity, paths };
}

for (const code of ["agent.unknown", "token.invalid"] as const) {
  test(`a rotation that is refused by both keys (the new one: ${code}) leaves the old one its token`, async (t) => {
    const { ask, asked, warned, identity } = await keeper(t, ({ old, rotates }) => {
      if (!old) return code;
      return rotates ? "token.invalid" : undefined;
    });
    const { kid } = identity.signer;
    assert.equal((await ask()).ok, true);
    assert.deepEqual(asked, ["old rotates", "new rotates", "old"]);
    assert.equal(warned.length, 1);
    assert.deepEqual([identity.signer.kid, identity.isDue()], [kid, true]);
  });
}

test("where no key is known any more, nothing is asked a third time", async (t) => {
  const { ask, asked } = await keeper(t, () => "agent.unknown");
  const result = await ask();
  assert.equal(!result.ok && result.code, "agent.unknown");
  assert.deepEqual(asked, ["old rotates", "new rotates"]);
});

test("a wish of the future waits for its time: it would bring a new key with each token", async (t) => {
  const { ask, asked, identity, paths } = await keeper(t, () => undefined, 90);
  const wish = (atMs: number): void => writeFileSync(paths.rotate, `${new Date(atMs).toISOString()}\n`);
  wish(Date.now() + 86_400_000);
  assert.equal(identity.isDue(), false);
  assert.equal((await ask()).ok, true);
  assert.deepEqual(asked, ["old"]);
  // The key's file has its time by the second.
  wish(Date.now() - 1);
  assert.equal(identity.isDue(), true);
});
