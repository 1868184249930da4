import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS, type Plan } from "@sallyport/shared/schema/operations.ts";
import { createRecorder } from "../mssql/test-output.ts";
import type { AttributeType } from "./attribute-types.ts";
import { attributeOf, type Entry } from "./message.ts";
import { columnsOf, isOfClass, rowWriter } from "./rows.ts";
import type { Selection } from "./selection.ts";

const PLAN: Plan = { to: null, key: [], isolation: "readCommitted", consistency: "fuzzy" };
const type = (name: string, syntax: string, isSingle: boolean): AttributeType => ({
  ...{ name, syntax, isSingle },
  ...{ oid: "1.2", isConstructed: false },
});
const attributes = [
  type("displayName", "2.5.5.12", true),
  type("userAccountControl", "2.5.5.9", true),
  type("proxyAddresses", "2.5.5.12", false),
];
const SELECTION: Selection = {
  ...{ attributes, unknown: ["noSuch"], types: new Map(), classes: new Set(["user"]), base: "DC=x", warnings: [] },
};
const entryOf = (values: Readonly<Record<string, readonly string[]>>): Entry => ({
  dn: "CN=a,DC=x",
  attributes: Object.entries(values).map(([name, texts]) =>
    attributeOf(
      name,
      texts.map((text) => Buffer.from(text)),
    ),
  ),
});

async function rowOf(values: Readonly<Record<string, readonly string[]>>) {
  const recorder = createRecorder({ cellBytes: DEFAULT_LIMITS.cellBytes });
  rowWriter(SELECTION, await recorder.schema(columnsOf(SELECTION), PLAN))(entryOf(values));
  await recorder.flush();
  return recorder.rows[0];
}

test("values come into their columns, however the directory orders and spells their names", async () => {
  const row = ["Kari", 512, ["a", "b"], null];
  const asked = { displayName: ["Kari"], userAccountControl: ["512"], proxyAddresses: ["a", "b"] };
  assert.deepEqual(await rowOf(asked), row);
  const other = { PROXYADDRESSES: ["a", "b"], elsewhere: ["x"], useraccountcontrol: ["512"], DisplayName: ["Kari"] };
  assert.deepEqual(await rowOf(other), row);
});

test("an attribute that is not there is NULL, and so is one that comes without values", async () => {
  assert.deepEqual(await rowOf({}), [null, null, null, null]);
  const empty = { displayName: [], userAccountControl: [], proxyAddresses: [] };
  assert.deepEqual(await rowOf(empty), [null, null, null, null]);
});

test("several values where the schema allows one are refused, and whole numbers beyond their bits", async () => {
  await assert.rejects(rowOf({ displayName: ["Kari", "Ola"] }), { code: "value.not_exact" });
  for (const [digits, number] of [["-2147483648", -2147483648] as const, ["2147483647", 2147483647] as const]) {
    assert.equal((await rowOf({ userAccountControl: [digits] }))?.[1], number);
  }
  for (const digits of ["2147483648", "-2147483649", "9999999999999999999", "1e3", "", " 1", "0x1"]) {
    await assert.rejects(rowOf({ userAccountControl: [digits] }), { code: "value.not_exact" }, digits);
  }
});

test("an object is of its last class, whatever the attribute is spelt like", () => {
  const classes = new Set(["user"]);
  assert.equal(isOfClass(entryOf({ cn: ["a"], objectClass: ["top", "person", "User"] }), classes), true);
  assert.equal(isOfClass(entryOf({ OBJECTCLASS: ["top", "user", "computer"] }), classes), false);
  for (const hidden of [{ cn: ["a"] }, { objectClass: [] }]) {
    assert.throws(() => isOfClass(entryOf(hidden), classes), { code: "directory.permission" });
  }
});
