/** What a thief of the orchestrator's key asks of an owner's rules, of each type: just beyond what it allows, and around it. */
import type { Attack } from "../malicious-relay/attack.ts";
import { type Denied, denied, LOGIN, type Wanted } from "./requests.ts";

const no = "policy.denied";
const every = (operation: Wanted): Wanted => ({ connection: "every", operation });
const table = (name: string, over: Wanted = {}): Wanted =>
  every({ op: "sql.table", table: name, columns: ["Id"], watermark: "none", ...over });
const by = (column: string): Wanted => ({ filter: [{ column, is: "equal", value: "x" }] });
const corp = (operation: Wanted): Wanted => ({
  connection: "corp",
  credential: { ...LOGIN, signIn: "simple" },
  operation,
});
const search = (over: Wanted): Wanted =>
  corp({ op: "ad.search", base: "OU=Oslo,OU=Staff,DC=x", classes: ["user"], attributes: ["mail"], ...over });
const write = (over: Wanted): Wanted =>
  corp({ op: "ad.write", object: "CN=Kari,OU=Staff,DC=x", class: "user", ...over });
const modify = (attribute: string, value: string): Wanted =>
  write({ action: "modify", changes: [{ attribute, do: "set", values: [value] }] });
const filter = (attribute: string): Wanted => ({ filter: { attribute, is: "equal", value: "x" } });
const deep = Array.from({ length: 3000 }).reduce<object>((inner) => ({ not: inner }), {
  attribute: "mail",
  is: "present",
});

type Row = readonly [asks: string, wanted: Wanted, code: string, unnamed?: true];

/** Groups of rows, each one test: what is asked, how, and what the agent answers. */
const ASKED: Readonly<Record<string, readonly Row[]>> = {
  "masks, columns and filters": [
    ["a masked column, by a filter", table("dbo.People", by("Email")), no],
    ["a masked column, by a filter in another case", table("dbo.People", by("eMAIL")), no],
    ["a masked column, as a watermark", table("dbo.People", { watermark: "column", watermarkColumn: "Email" }), no],
    ["a column that is not listed, by a filter", table("dbo.People", by("Salary")), no],
    ["a column that is not listed, among others", table("dbo.People", { columns: ["Id", "Salary"] }), no],
    ["every column, where some are listed", table("dbo.People", { columns: "*" }), no],
    ["a column that two rules mask differently", table("dbo.Twice", { columns: ["Email"] }), "policy.ambiguous"],
    ["a filter by what `filterOn` leaves out", table("dbo.Events", by("Note")), no],
    ["a filter that is SQL", table("dbo.Events", { filter: "1=1; DROP TABLE dbo.Orders" }), "request.invalid", true],
    [
      "an operator that there is not",
      table("dbo.Events", { filter: [{ column: "At", is: "OR 1=1", value: 1 }] }),
      "request.invalid",
      true,
    ],
  ],
  "tables, statements and procedures": [
    ["the rows of a table whose changes are allowed", table("dbo.Tracked"), no],
    ["the rows of a table that may be described", table("dbo.Told"), no],
    [
      "the changes of a table whose rows are allowed",
      every({ op: "sql.changes", table: "dbo.People", columns: ["Id"], by: "cdc" }),
      no,
    ],
    [
      "a statement with a value that is not listed",
      every({ op: "sql.query", statement: "listed", parameters: { c: 2 } }),
      no,
    ],
    [
      "a delete, where updates are allowed",
      every({ op: "sql.write", table: "dbo.Status", action: "delete", columns: ["Id"] }),
      no,
    ],
    [
      "to write a column that is not listed",
      every({ op: "sql.write", table: "dbo.Status", action: "update", columns: ["Id", "Owner"] }),
      no,
    ],
    [
      "to write where reading is allowed",
      every({ op: "sql.write", table: "dbo.People", action: "insert", columns: ["Id"] }),
      no,
    ],
    ["a procedure of no rule", every({ op: "sql.call", procedure: "sys.sp_configure", parameters: {} }), no],
    [
      "a procedure with a value that is not listed",
      every({ op: "sql.call", procedure: "dbo.Close", parameters: { why: 2 } }),
      no,
    ],
    [
      "a writing procedure as a read",
      every({ op: "sql.call", procedure: "dbo.Close", parameters: { why: 1 }, effect: "read" }),
      "request.invalid",
    ],
  ],
  "ends, callers, hours and denials": [
    ["by a rule that has ended", table("dbo.Over"), no],
    ["by a rule for somebody else", table("dbo.Theirs"), no],
    ["what one rule denies and another allows", table("hr.People"), no],
    ["raw SQL by a rule that has ended", { connection: "loose", operation: { op: "sql.query", raw: "SELECT 1" } }, no],
    ["outside the hours", { connection: "later" }, no],
    ["with a password of its own, where only sealed ones count", { connection: "sealed" }, no],
  ],
  "what nobody reads in a directory": [
    ["a password's hash", search({ attributes: ["unicodePwd"] }), no],
    ["a password's hash by its OID", search({ attributes: ["1.2.840.113556.1.4.90"] }), no],
    ["a LAPS password, by a filter", search(filter("ms-Mcs-AdmPwd")), no],
    ["several attributes at once, by their common name", search(filter("anr")), no],
    ["a base that only looks to be inside", search({ base: "OU=x\\,OU=Staff,DC=x" }), no],
    ["a base in another spelling of a denied one", search({ base: "OU=B\\6fard, ou=staff,DC=x" }), no],
    ["all above what is denied", search({ base: "OU=Staff,DC=x" }), no],
    ["another class", search({ classes: ["computer"] }), no],
    ["a base by its GUID", search({ base: "<GUID=00>" }), "request.invalid", true],
    ["a filter that is LDAP", search({ filter: "(|(mail=*)(objectClass=*))" }), "request.invalid", true],
    ["a filter without an end", search({ filter: deep }), "request.invalid", true],
  ],
  "what nobody writes there": [
    ["to make a user a service", modify("servicePrincipalName", "http/x"), no],
    ["to make a user trusted for delegation", modify("userAccountControl", "524800"), no],
    ["to move a user into a denied place", write({ action: "move", destination: "OU=Board,OU=Staff,DC=x" }), no],
    ["to delete, where only moving is allowed", write({ action: "delete" }), no],
    ["to set a password, where only moving is allowed", write({ action: "setPassword", password: "x" }), no],
  ],
  "kinds of connections": [
    [
      "a directory, as if it were a database",
      { ...corp({}), operation: { op: "sql.query", raw: "SELECT 1" } },
      "request.invalid",
    ],
    [
      "a database, as if it were a directory",
      { connection: "every", operation: { op: "ad.schema" } },
      "request.invalid",
    ],
    ["the changes among people who may be searched", search({ op: "ad.changes" }), no],
  ],
};

/** One test for each group: every session that is refused leaves the agent serving, and one that is served costs seconds. */
export const RULE_ATTACKS: readonly Attack[] = Object.entries(ASKED).map(
  ([group, rows]): Attack => ({
    rule: "P4.14",
    name: `asks beyond every type of rule: ${group}, ${rows.length} ways`,
    async run(world) {
      for (const [asks, wanted, code, unnamed] of rows) {
        const row: Denied = { rule: "P4.14", asks, wanted, code, ...(unnamed === undefined ? {} : { unnamed }) };
        try {
          await denied(row).run(world);
        } catch (error) {
          throw new Error(`it asked for ${asks}`, { cause: error });
        }
      }
    },
  }),
);
