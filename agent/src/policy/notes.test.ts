/** What is valid, and still worth a word: each note with its line, and no note without a reason. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { matchTable, patternsMeet } from "../names.ts";
import { checkPolicy } from "./file.ts";

const NOW = new Date("2026-11-20T12:00:00Z");
const notes = (rules: string, kind = "mssql"): readonly string[] => {
  const of =
    kind === "mssql" ? "database: E\n    tls: { mode: required }" : "signIn: [simple]\n    tls: { mode: required }";
  const text = `v: 1
connections:
  erp:
    kind: ${kind}
    address: sql:1433
    ${of}
    logins: [a]
    rules:
${rules
  .split("\n")
  .map((rule) => `      - ${rule}`)
  .join("\n")}
`;
  return checkPolicy(text, NOW).notes.map(({ line, message }) => `${line}: ${message.split(":")[0]}`);
};

const NOTED: readonly (readonly [rules: string, expected: readonly string[], kind?: string])[] = [
  [
    `{ id: a, allow: [table], tables: [dbo.T], columns: [A] }\n{ id: b, allow: [table], tables: ["dbo.*"], columns: [A], mask: { A: hash } }`,
    ["11: A leaves in another way by a"],
  ],
  [
    `{ id: a, allow: [table], tables: [dbo.T], mask: { A: hash } }\n{ id: b, allow: [table], tables: [dbo.T], mask: { a: hash } }`,
    [],
  ],
  [
    `{ id: a, allow: [table], tables: [dbo.T], columns: [B] }\n{ id: b, allow: [table], tables: [dbo.T], mask: { A: hash } }`,
    [],
  ],
  [`{ id: a, allow: [changes], tables: [dbo.T] }\n{ id: b, allow: [table], tables: [dbo.T], mask: { A: hash } }`, []],
  [
    `{ id: a, allow: [table], tables: [dbo.T], callers: ["key:x"] }\n{ id: b, allow: [table], tables: [dbo.T], callers: ["key:y"], mask: { A: hash } }`,
    [],
  ],
  [
    `{ id: a, allow: [table], tables: [hr.T, dbo.T] }\n{ id: no, deny: all, tables: ["hr.*"] }`,
    ["10: hr.T is denied by no"],
  ],
  [`{ id: a, allow: [table], tables: ["hr.*"] }\n{ id: no, deny: all, tables: [hr.T] }`, []],
  [`{ id: a, allow: [table], tables: [dbo.T], until: 2026-11-19 }`, ["10: this rule has ended and allows nothing"]],
  [`{ id: a, allow: [raw], until: 2026-12-01 }`, ["10: raw SQL"]],
  [
    `{ id: a, allow: [table], tables: [dbo.T], mask: { Mail: hash } }\n{ id: w, allow: [delete], tables: [dbo.T], columns: [Mail], key: [Mail] }`,
    ["11: rows are found by Mail, which a masks"],
  ],
  [
    `{ id: a, allow: [table], tables: [dbo.T], mask: { Mail: hash, Born: year } }\n{ id: w, allow: [insert], tables: ["dbo.*"], columns: [Id, mail, Born] }`,
    ["11: mail is written, which a hashes"],
  ],
  [
    `{ id: a, allow: [table], tables: [dbo.T], mask: { Mail: hash } }\n{ id: w, allow: [upsert], tables: [dbo.U, dbo.T], columns: [Id, Mail], key: [Id] }`,
    ["11: Mail is written, which a hashes"],
  ],
  [
    `{ id: a, allow: [table], tables: [dbo.T], mask: { Mail: hash } }\n{ id: w, allow: [insert], tables: [dbo.U], columns: [Mail] }`,
    [],
  ],
  [
    `{ id: s, allow: [search], bases: ["DC=x"], classes: "*", attributes: [mail, unicodePwd], filterOn: [mail, anr] }`,
    ["10: unicodePwd is never read, whatever a rule says", "10: anr is never filtered by, whatever a rule says"],
    "activeDirectory",
  ],
  [
    `{ id: w, allow: [modify], bases: ["DC=x"], classes: "*", attributes: [mail, sIDHistory, userAccountControl], until: 2026-12-31 }`,
    [
      "10: sIDHistory is never written, whatever a rule says",
      "10: of userAccountControl only the bits 0x2 and 0x200 are written",
    ],
    "activeDirectory",
  ],
];
for (const [rules, expected, kind] of NOTED) {
  test(`${expected.join("; ") || "nothing"}: ${rules}`, () => assert.deepEqual(notes(rules, kind), expected));
}

test("two patterns meet where one name fits both", () => {
  const letters = fc
    .array(fc.constantFrom("a", "b", "*"), { minLength: 1, maxLength: 6 })
    .map((all) => `s.${all.join("")}`);
  const name = fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 6 }).map((all) => `S.${all.join("")}`);
  fc.assert(
    fc.property(letters, letters, name, (one, other, text) => {
      const both = matchTable(one, text) !== undefined && matchTable(other, text) !== undefined;
      return (!both || patternsMeet(one, other)) && patternsMeet(one, other) === patternsMeet(other, one);
    }),
    { numRuns: 3000 },
  );
  assert.ok(patternsMeet("dbo.a*c", "DBO.*b*"));
  for (const [one, other] of [
    ["dbo.a*", "dbo.b*"],
    ["dbo.*", "hr.*"],
    ["dbo.a*b", "dbo.a*c"],
    ["dbo.aa", "dbo.a"],
  ] as const) {
    assert.ok(!patternsMeet(one, other), `${one} ${other}`);
  }
});
