/** Searches and changes that a directory cuts short, refuses, or answers with what was not asked for. */
import { STAFF } from "@sallyport/agent/src/connectors/ldap/test-directory.ts";
import { tlv } from "../../../emulators/ldap/ber.ts";
import type { Answer, Ldap } from "../../../emulators/ldap/start.ts";
import type { Failure } from "./failure.ts";
import type { Stage } from "./stage.ts";

const DOMAIN = "DC=corp,DC=example";
const octets = (text: string): Buffer => tlv(0x04, text);
const entryOf = (dn: string): Buffer =>
  tlv(0x64, octets(dn), tlv(0x30, tlv(0x30, octets("objectClass"), tlv(0x31, octets("top"), octets("user")))));
/** No more pages. */
const LAST = { "1.2.840.113556.1.4.319": tlv(0x30, Buffer.from([2, 1, 0]), octets("")) };

/** Answers the search itself, and leaves what goes before it to the emulator. */
const answering = (answer: Partial<Answer>) => async (stage: Stage) => {
  const { ldap, target } = await stage.directory();
  ldap.emulated.answer = ({ base, scope }) =>
    base === STAFF && scope === 2 ? { parts: [], code: 0, diagnostic: "", ...answer } : undefined;
  await stage.search(target());
};

/** A hundred people in pages of twenty; what happens to the third page. */
const third = (happen: (ldap: Ldap) => Answer | undefined) => async (stage: Stage) => {
  const { ldap, target } = await stage.directory({ limits: { pageSize: 20 } });
  for (let index = 0; index < 100; index += 1) {
    ldap.store.add(`CN=user${index},${STAFF}`, "user", { sAMAccountName: `user${index}` });
  }
  let pages = 0;
  ldap.emulated.answer = ({ base, scope }) => {
    if (base === STAFF && scope === 2) pages += 1;
    return pages === 3 ? happen(ldap) : undefined;
  };
  await stage.search(target());
};

const searching = (wish: object) => async (stage: Stage) => stage.search((await stage.directory()).target(), wish);

const ROWS: readonly (Omit<Failure, "ends" | "wire"> & Partial<Failure>)[] = [
  {
    name: "a result that was cut short at a size limit",
    code: "directory.truncated",
    message: "The directory cut the result short at its size limit.",
    meet: answering({ code: 4, controls: LAST }),
  },
  {
    name: "a result without a word on whether there is more",
    code: "directory.truncated",
    message: "The directory does not say whether there is more.",
    meet: answering({}),
  },
  {
    name: "a search that the directory gave up",
    code: "directory.timeout",
    message: "The directory gave the request up: it took too long.",
    meet: answering({ code: 3, controls: LAST }),
  },
  {
    name: "a search beyond a limit of the directory's",
    code: "directory.limit",
    message: "The request goes beyond a limit of the directory's.",
    meet: answering({ code: 11, controls: LAST }),
  },
  {
    name: "a directory that is busy",
    code: "directory.busy",
    message: "The directory is busy.",
    meet: answering({ code: 51 }),
  },
  {
    name: "a referral of the search, which is not followed",
    code: "directory.referral",
    message: "The directory refers to another server.",
    detail: { number: 10, hosts: ["dc2.corp.example"] },
    meet: answering({ code: 10, referrals: [`ldap://dc2.corp.example/${STAFF}`] }),
  },
  {
    name: "a search that the login has no right for",
    code: "directory.permission",
    message: "The login lacks a right in the directory.",
    meet: answering({ code: 50, diagnostic: "00002098: SecErr: DSID-0, problem 4003, data 0\n\0" }),
  },
  {
    name: "a result of the directory's that is none of these",
    code: "directory.failed",
    message: "The directory refused the request.",
    meet: answering({ code: 80 }),
  },
  {
    name: "an object that lies elsewhere",
    code: "directory.protocol",
    message: "The directory gave an object of elsewhere.",
    meet: answering({ controls: LAST, parts: [entryOf(`CN=a,OU=Other,${DOMAIN}`)] }),
  },
  {
    name: "an object of a neighbour whose name ends alike",
    code: "directory.protocol",
    message: "The directory gave an object of elsewhere.",
    meet: answering({ controls: LAST, parts: [entryOf(`CN=a\\,${STAFF}`)] }),
  },
  {
    name: "a cookie that the directory forgot in the middle",
    code: "directory.cursor_lost",
    message: "The directory no longer knows where it was in the result.",
    meet: third(() => ({ parts: [], code: 53, diagnostic: "00000057: no such cookie\0" })),
  },
  {
    name: "a connection that is cut in the middle, and is not made again",
    code: "connection.lost",
    message: "The directory ended the connection.",
    meet: third((ldap) => {
      ldap.cut();
      return undefined;
    }),
  },
  {
    name: "silence in the middle",
    code: "directory.timeout",
    message: "The directory did not answer in time.",
    ends: "answerMs",
    async meet(stage) {
      const { ldap, target } = await stage.directory();
      let isSignedIn = false;
      ldap.emulated.onMessage = ({ tag }) => {
        if (isSignedIn) return "swallow";
        isSignedIn = tag === 0x60;
        return undefined;
      };
      await stage.search(target());
    },
  },
  {
    name: "a base that there is not",
    code: "directory.not_found",
    message: "The directory has no object of that name, or hides it from this login.",
    meet: searching({ base: `OU=No,${STAFF}` }),
  },
  {
    name: "a value of a filter that is none for its attribute",
    code: "request.invalid",
    message: "A value of the filter is nothing for attribute userAccountControl.",
    meet: searching({ filter: { attribute: "userAccountControl", is: "equal", value: "(|(cn=*))" } }),
  },
  {
    name: "a class that the schema does not have",
    code: "request.invalid",
    message: "The directory's schema has no class noSuchClass.",
    meet: searching({ classes: ["noSuchClass"] }),
  },
  {
    name: "more deletions than a run may bring",
    code: "directory.too_many_deletes",
    message: "2 objects would be deleted at once.",
    async meet(stage) {
      const { ldap, target, authority } = await stage.directory();
      for (const name of ["a", "b"]) ldap.store.add(`CN=${name},${STAFF}`, "user", { sAMAccountName: name });
      // A session of its own, which no tap counts.
      const direct = target({ port: ldap.ldapsPort, tls: { mode: "required", caPem: authority.caPem } });
      const from = await stage.changes(direct);
      for (const name of ["a", "b"]) ldap.store.remove(`CN=${name},${STAFF}`);
      await stage.changes(target(), { from, mostDeletes: 1 });
    },
  },
];

export const READING: readonly Failure[] = ROWS.map((row) => ({ ends: "answer", wire: "tls", ...row }));
