import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "./config-error.ts";
import { maskKeyOf } from "./mask-key.ts";
import { openMaskKey, sealMaskKey } from "./mask-key-transfer.ts";

const KEY = maskKeyOf(Buffer.from(Array.from({ length: 32 }, (_, at) => at * 7)));
const PASSPHRASE = "a long enough påssphrase";

test("what was sealed opens with the passphrase, however its accents were typed", async () => {
  const sealed = await sealMaskKey(KEY, PASSPHRASE);
  assert.deepEqual(await openMaskKey(sealed, PASSPHRASE.normalize("NFD")), KEY);
  assert.ok(!sealed.includes(Buffer.from(KEY.key).toString("base64url")));
});

test("two files of one key have nothing in common but its id", async () => {
  const [one, other] = await Promise.all([sealMaskKey(KEY, PASSPHRASE), sealMaskKey(KEY, PASSPHRASE)]);
  const [a, b] = [JSON.parse(one!), JSON.parse(other!)];
  assert.equal(a.id, b.id);
  for (const part of ["salt", "iv", "sealed"]) assert.notEqual(a[part], b[part]);
});

test("another passphrase, or one altered character anywhere, opens nothing", async () => {
  const sealed = JSON.parse(await sealMaskKey(KEY, PASSPHRASE));
  await assert.rejects(openMaskKey(JSON.stringify(sealed), `${PASSPHRASE}.`), ConfigError);
  for (const part of ["id", "salt", "iv", "sealed"]) {
    const text: string = sealed[part];
    const altered = { ...sealed, [part]: (text.startsWith("A") ? "B" : "A") + text.slice(1) };
    await assert.rejects(openMaskKey(JSON.stringify(altered), PASSPHRASE), ConfigError, part);
  }
  for (const text of ["", "[]", JSON.stringify({ ...sealed, v: 2 }), JSON.stringify({ ...sealed, n: 1 })]) {
    await assert.rejects(openMaskKey(text, PASSPHRASE), ConfigError, text);
  }
});
