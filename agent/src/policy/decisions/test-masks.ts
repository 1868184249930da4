/** Requests that meet masks, filters, writes and calls, and what the policy beside this file says to each. */
import { no, type Row } from "./test-ask.ts";

const people = { connection: "people", table: "dbo.People" } as const;
const email = (is: string, more: object = { value: "a@b.example" }) => [{ column: "Email", is, ...more }];
const call = (reason: string, more: object = {}) => ({
  connection: "people",
  op: { op: "sql.call", procedure: "dbo.Close", parameters: { id: 1, reason }, ...more },
});
const write = (action: string, columns: readonly string[], table = "dbo.Status") => ({
  connection: "people",
  op: { op: "sql.write", table, action, columns },
});
const changes = (columns: "*" | readonly string[], by = "changeTracking") => ({
  connection: "people",
  op: { op: "sql.changes", table: "dbo.People", columns, by },
});

export const MASKS: readonly Row[] = [
  // A masked column may be read, and nothing else.
  ["allow read-people", { ...people, columns: ["PersonId", "Email", "Iban"] }],
  ["allow read-people", { ...people, columns: ["EMAIL"] }],
  [no, { ...people, columns: "*" }],
  [no, { ...people, columns: ["Phone"] }],
  ["allow read-people", { ...people, columns: ["PersonId"], filter: [{ column: "PersonId", is: "equal", value: 1 }] }],
  ["allow read-people", { ...people, columns: ["PersonId"], filter: [{ column: "updatedat", is: "notNull" }] }],
  [no, { ...people, columns: ["PersonId"], filter: email("equal") }],
  [no, { ...people, columns: ["PersonId"], filter: email("less") }],
  [no, { ...people, columns: ["PersonId"], filter: email("null", {}) }],
  [no, { ...people, columns: ["PersonId"], filter: email("notNull", {}) }],
  [no, { ...people, columns: ["PersonId"], filter: email("in", { values: ["a", "b"] }) }],
  [no, { ...people, columns: ["PersonId"], filter: [{ column: "eMAIL", is: "equal", value: "x" }] }],
  [no, { ...people, columns: ["PersonId"], filter: [{ column: "PersonId", is: "notNull" }, ...email("equal")] }],
  [no, { ...people, columns: ["PersonId"], watermarkColumn: "BirthDate" }],
  ["allow read-people", { ...people, columns: ["PersonId"], watermarkColumn: "UpdatedAt" }],
  ["allow read-people", changes(["PersonId", "Email"])],
  [no, changes("*")],
  // An excluded column tells as much as a masked one.
  [no, { ...people, columns: ["PersonId"], filter: [{ column: "Salary", is: "greater", value: 1 }] }],
  [no, { ...people, columns: ["PersonId"], watermarkColumn: "Salary" }],
  // Masks where every column is allowed.
  ["allow read-names", { connection: "people", table: "dbo.Names", columns: "*" }],
  [
    no,
    { connection: "people", table: "dbo.Names", columns: "*", filter: [{ column: "name", is: "equal", value: "x" }] },
  ],
  ["allow read-names", { connection: "people", table: "dbo.Names", filter: [{ column: "Id", is: "equal", value: 1 }] }],
  // filterOn narrows what may be compared; without it all that is open may be.
  ["allow narrow-filter", { connection: "people", table: "dbo.Orders", filter: [{ column: "at", is: "notNull" }] }],
  [no, { connection: "people", table: "dbo.Orders", filter: [{ column: "Note", is: "null" }] }],
  [no, { connection: "people", table: "dbo.Orders", filter: [{ column: "Id", is: "equal", value: 1 }] }],
  [no, { connection: "people", table: "dbo.Orders", watermarkColumn: "Id" }],
  ["allow narrow-filter", { connection: "people", table: "dbo.Orders", watermarkColumn: "At" }],
  ["allow wide-filter", { connection: "people", table: "dbo.Wide", filter: [{ column: "Any", is: "null" }] }],
  // Two rules, two masks.
  ["deny policy.ambiguous", { connection: "people", table: "dbo.Two", columns: ["Id", "Mail"] }],
  ["deny policy.ambiguous", { connection: "people", table: "DBO.two", columns: ["MAIL"] }],
  ["allow two-a", { connection: "people", table: "dbo.Two", columns: ["Id"] }],
  ["allow two-a", { connection: "people", table: "dbo.Two", columns: ["Mail", "Note"] }],
  ["allow two-a", { connection: "people", table: "dbo.Two", columns: ["Note"] }],
  ["allow two-c", { connection: "people", table: "dbo.Twenty", columns: ["Note"] }],
  ["allow same-a", { connection: "people", table: "dbo.Same", columns: ["Id", "Mail"] }],
  // Writes: each word allows itself, and the key is the rule's.
  ["allow status", write("insert", ["Id", "State"])],
  ["allow status", write("update", ["id", "state"])],
  [no, write("delete", ["Id"])],
  [no, write("upsert", ["Id", "State"])],
  [no, write("insert", ["Id", "Owner"])],
  [no, write("insert", ["Id"], "dbo.Other")],
  ["deny request.invalid", write("update", ["State"])],
  [
    "deny request.invalid",
    { ...write("insert", ["Id", "State"]), op: { ...write("insert", ["Id", "State"]).op, idempotencyKey: "k" } },
  ],
  [no, { ...write("insert", ["Id", "State"]), at: "2027-01-01T00:00:00Z" }],
  // Two rules for one procedure: whichever of them fits, wherever it stands in the file.
  ["allow close-paid", call("paid")],
  ["allow close-paid", { ...call("paid"), caller: "key:sp_erp" }],
  ["allow close-void", { ...call("void"), caller: "key:sp_erp" }],
  ["deny policy.denied by close-paid", call("void")],
  ["deny request.invalid", call("paid", { effect: "read" })],
  ["deny request.invalid", { connection: "people", op: { op: "sql.call", procedure: "dbo.Close", parameters: {} } }],
  [no, { connection: "people", op: { op: "sql.call", procedure: "dbo.Open", parameters: {} } }],
];
