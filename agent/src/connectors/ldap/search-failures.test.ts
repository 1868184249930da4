/** Searches that a directory answers with less, with more or with something else than was asked for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { tlv } from "../../../../test/emulators/ldap/ber.ts";
import { DOMAIN, STAFF, startDirectory } from "./test-directory.ts";
import { addUsers, run } from "./test-search.ts";

test("other servers are told of and never asked; the domain's own other parts are no news", async (t) => {
  const { target } = await startDirectory(t);
  const { warnings } = await run(target(), { base: DOMAIN }, { bases: [DOMAIN] });
  assert.deepEqual(warnings, [{ code: "directory.elsewhere", facts: { hosts: ["ForestDnsZones.corp.example"] } }]);
});

test("a base that is not there, or that the directory knows by another name, is refused", async (t) => {
  const { target, ldap } = await startDirectory(t);
  await assert.rejects(run(target(), { base: `OU=None,${STAFF}` }), { code: "directory.not_found" });
  const { emulated } = ldap;
  emulated.answer = (asked) => {
    if (asked.base !== STAFF || asked.scope !== 0) return undefined;
    return { parts: [entryOf(`OU=Other,${DOMAIN}`)], code: 0, diagnostic: "" };
  };
  await assert.rejects(run(target(), {}), { code: "policy.denied" });
});

/** In a batch, of objects with a kilobyte. */
const MOST_ROWS = 64;

const octets = (text: string): Buffer => tlv(0x04, text);
const entryOf = (dn: string): Buffer =>
  tlv(0x64, octets(dn), tlv(0x30, tlv(0x30, octets("objectClass"), tlv(0x31, octets("top"), octets("user")))));
const page = (cookie: string) => ({ "1.2.840.113556.1.4.319": tlv(0x30, Buffer.from([2, 1, 0]), octets(cookie)) });

test("a page without entries but with a cookie is not the end", async (t) => {
  const { target, ldap } = await startDirectory(t);
  let pages = 0;
  ldap.emulated.answer = ({ base, scope }) => {
    if (base !== STAFF || scope !== 2) return undefined;
    pages += 1;
    const parts = pages === 3 ? [entryOf(`CN=late,${STAFF}`)] : [];
    return { parts, code: 0, diagnostic: "", controls: page(pages === 3 ? "" : `more${pages}`) };
  };
  const { recorder } = await run(target(), {});
  assert.deepEqual([recorder.rows.length, pages], [1, 3]);
});

test("an output that is slow holds the directory back, but for one page ahead", { timeout: 60_000 }, async (t) => {
  const { target, ldap } = await startDirectory(t);
  addUsers(ldap, 2000, () => ({ displayName: "x".repeat(1000) }));
  let searches = 0;
  let arrived = (): void => {};
  const second = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  ldap.emulated.answer = ({ base, scope }) => {
    searches += base === STAFF && scope === 2 ? 1 : 0;
    if (searches === 2) arrived();
    return undefined;
  };
  let flushes = 0;
  const beforeFlush = async (): Promise<void> => {
    flushes += 1;
    // Of the first page only a part has been taken, and nothing has left yet.
    await second;
    await new Promise((resolve) => setImmediate(resolve));
    const pagesBegun = Math.ceil((flushes * MOST_ROWS) / 500);
    assert.ok(searches <= pagesBegun + 1, `${searches} pages asked for after ${flushes} flushes`);
  };
  const options = { batchBytes: MOST_ROWS * 1000, beforeFlush };
  const { recorder } = await run(target(), { attributes: ["displayName"] }, {}, options);
  assert.equal(recorder.rows.length, 2001);
  assert.ok(flushes > 20);
});
