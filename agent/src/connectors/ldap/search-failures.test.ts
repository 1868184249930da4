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

interface Cut {
  readonly name: string;
  readonly answer: Partial<{ code: number; controls: object; parts: Buffer[] }>;
  readonly code: string;
}
const LAST = page("");
const CUTS: readonly Cut[] = [
  { name: "cut short at its size limit", answer: { code: 4, controls: LAST }, code: "directory.truncated" },
  { name: "without a word on whether there is more", answer: {}, code: "directory.truncated" },
  { name: "given up for time", answer: { code: 3, controls: LAST }, code: "directory.timeout" },
  { name: "beyond a limit", answer: { code: 11, controls: LAST }, code: "directory.limit" },
  {
    ...{ name: "from elsewhere", code: "directory.protocol" },
    answer: { controls: LAST, parts: [entryOf(`CN=a,OU=Other,${DOMAIN}`)] },
  },
  {
    ...{ name: "from a neighbour whose name ends alike", code: "directory.protocol" },
    answer: { controls: LAST, parts: [entryOf(`CN=a\\,${STAFF}`)] },
  },
];
for (const { name, answer, code } of CUTS) {
  test(`a result ${name} is ${code}, never success`, async (t) => {
    const { target, ldap } = await startDirectory(t);
    ldap.emulated.answer = ({ base, scope }) =>
      base === STAFF && scope === 2 ? ({ parts: [], code: 0, diagnostic: "", ...answer } as never) : undefined;
    await assert.rejects(run(target(), {}), { code });
  });
}

test("a controller that forgets its cookie, or goes away in the middle, ends the search; nothing is asked anew", async (t) => {
  for (const { way, code } of [
    { name: "a cookie is forgotten", way: "forget", code: "directory.cursor_lost" },
    { name: "the connection is cut", way: "cut", code: "connection.lost" },
  ]) {
    const { target, ldap } = await startDirectory(t, { limits: { pageSize: 20 } });
    addUsers(ldap, 100);
    let pages = 0;
    ldap.emulated.answer = ({ base, scope }) => {
      if (base !== STAFF || scope !== 2) return undefined;
      pages += 1;
      if (pages < 3) return undefined;
      if (way === "cut") ldap.cut();
      return { parts: [], code: 53, diagnostic: "00000057: no such cookie\0" };
    };
    await assert.rejects(run(target(), {}), { code });
    assert.equal(ldap.log.filter(({ event }) => event === "bind").length, 1);
    assert.equal(pages, 3);
  }
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
