/** What an agent says of its keys, and what somebody says who has one key too few. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { signUnsealKey, unsealKid } from "@sallyport/shared/crypto/agent-key.ts";
import { generateKeyPair, type KeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { signJws } from "@sallyport/shared/crypto/jws.ts";
import { PUBLIC_KEY_BYTES } from "@sallyport/shared/crypto/kem.ts";
import { type Rotation, signRotation } from "@sallyport/shared/crypto/rotation.ts";
import type { RegisteredAgent } from "./registered.ts";
import { takeKeys } from "./rotation.ts";

const origin = "https://orchestrator.test";
const [old, next, stranger] = await Promise.all(["EdDSA", "EdDSA", "EdDSA"].map(() => generateKeyPair("EdDSA")));
const UNSEAL = Buffer.alloc(PUBLIC_KEY_BYTES, 5).toString("base64url");
const agentBy = (pair: KeyPair, current: string): RegisteredAgent => ({
  ...{ id: "a".repeat(32), tenant: "contoso", site: "oslo", status: "active", canary: null },
  ...{ identity: pair.publicJwk, kid: pair.kid, current, unseal: { kid: "u".repeat(43), signed: false } },
});
const agent = agentBy(old!, old!.kid);
const signer = (pair: KeyPair) => signerOf("EdDSA", pair);
const said = (over: object = {}) => ({
  ...{ agent: agent.id, aud: origin, to: next!.publicJwk as never, iat: 1 },
  ...over,
});
const statement = (over: object = {}, by = old!, to = next!) => signRotation(said(over), signer(by), signer(to));

async function take(rotate: Rotation | undefined, of = agent, unseal?: string) {
  const done: unknown[] = [];
  const confirmed = await takeKeys(
    {
      origin,
      rotate: async (_agent, { kid }) => done.push(kid) === 1,
      publishUnseal: async (_agent, key) => void done.push(unsealKid(key)),
      confirm: async ({ identity }) => `confirmed ${identity}`,
    },
    of,
    { rotate, unseal },
  );
  return { confirmed, done };
}

it("P1.6 a statement by both keys makes the new one the agent's, and is confirmed", async () => {
  assert.deepEqual(await take(await statement()), { confirmed: `confirmed ${next!.kid}`, done: [next!.kid] });
});

it("P1.7 a repeat is confirmed and changes nothing, by the old key and by the new one", async () => {
  for (const pair of [old!, next!]) {
    const repeated = await take(await statement(), agentBy(pair, next!.kid));
    assert.deepEqual(repeated, { confirmed: `confirmed ${next!.kid}`, done: [] });
  }
});

const mixed = async (): Promise<Rotation> => ({
  byOld: (await statement()).byOld,
  byNew: (await statement({ iat: 2 })).byNew,
});
const other = async (purpose: "hello" | "token"): Promise<Rotation> => {
  const payload = { v: 1, ...said(), from: old!.kid };
  return {
    byOld: await signJws(purpose, payload, signer(old!)),
    byNew: await signJws(purpose, payload, signer(next!)),
  };
};
for (const [what, rotate, of] of [
  ["by another key than the agent's", () => statement({}, stranger!), agent],
  ["that the new key did not sign", () => statement({}, old!, stranger!), agent],
  ["whose two parts say different things", mixed, agent],
  ["for another agent", () => statement({ agent: "b".repeat(32) }), agent],
  ["for another origin", () => statement({ aud: "https://elsewhere.test" }), agent],
  ["signed for another purpose", () => other("hello"), agent],
  [
    "from the key before the current one, to a third",
    () => statement({ to: stranger!.publicJwk as never }, old!, stranger!),
    agentBy(old!, next!.kid),
  ],
  ["by the new key alone, which nobody knows", () => statement({}, stranger!), agentBy(stranger!, old!.kid)],
] as const) {
  it(`P1.6 a statement ${what} is refused`, async () => {
    await assert.rejects(async () => take(await rotate(), of), { code: "token.invalid", detail: { reason: "rotate" } });
  });
}

const unsealBy = (by: KeyPair, over: object = {}) =>
  signUnsealKey({ agent: agent.id, tenant: "contoso", site: "oslo", key: UNSEAL, iat: 1, ...over }, signer(by));

it("P6.10 an unseal key is taken from the identity that is the agent's after this request, and from nobody else", async () => {
  assert.deepEqual((await take(undefined, agent, await unsealBy(old!))).done, [unsealKid(UNSEAL)]);
  assert.deepEqual((await take(await statement(), agent, await unsealBy(next!))).done, [next!.kid, unsealKid(UNSEAL)]);
  const known = { ...agent, unseal: { kid: unsealKid(UNSEAL), signed: true } };
  assert.deepEqual((await take(undefined, known, await unsealBy(old!))).done, []);
  for (const compact of [
    await unsealBy(stranger!),
    await unsealBy(old!, { agent: "b".repeat(32) }),
    await unsealBy(old!, { site: "bergen" }),
    await unsealBy(old!, { tenant: "fabrikam" }),
    await signJws("hello", { v: 1 }, signer(old!)),
    "a.b.c",
  ]) {
    await assert.rejects(take(undefined, agent, compact), { code: "token.invalid", detail: { reason: "unseal" } });
  }
  await assert.rejects(async () => take(await statement(), agent, await unsealBy(old!)), { code: "token.invalid" });
});
