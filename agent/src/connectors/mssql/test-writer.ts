/** For tests: random writes to a table of a key and a number, with a model of what is committed. */
import fc from "fast-check";
import type { TestServer } from "./test-server.ts";

export type Act =
  | { readonly do: "insert" | "update"; readonly id: number; readonly n: number }
  | { readonly do: "delete"; readonly id: number }
  | { readonly do: "rekey"; readonly id: number; readonly to: number }
  | { readonly do: "begin" | "commit" | "rollback" };

const id = fc.integer({ min: 1, max: 9 });
const n = fc.integer({ min: 0, max: 99 });
export const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("insert" as const), id, n }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("update" as const), id, n }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("delete" as const), id }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("rekey" as const), id, to: id }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("begin" as const, "commit" as const, "rollback" as const) }),
  },
);

export type Rows = ReadonlyMap<number, number>;
/** What a statement did to a row, as CDC tells it: another key is a delete and an insert. */
export type Change = readonly [op: "insert" | "before" | "update" | "delete", id: number, n: number];

export interface Writer {
  /** What is committed. */
  readonly committed: Rows;
  /** Acts that have no effect (an insert of what is there) are left out. */
  act(act: Act): Promise<void>;
  /** Commits what is open. */
  settle(): Promise<void>;
}

/** @param onCommit told of the table's rows after each commit, and of what it changed, in order. */
export function createWriter(
  server: TestServer,
  table: string,
  onCommit: (rows: Rows, changes: readonly Change[]) => Promise<void>,
): Writer {
  let committed = new Map<number, number>();
  let changes: Change[] = [];
  /** The rows as the open transaction sees them. */
  let open: Map<number, number> | undefined;

  const told = async (): Promise<void> => {
    const done = changes;
    changes = [];
    await onCommit(committed, done);
  };
  const change = async (sql: string, ...did: Change[]): Promise<void> => {
    await server.writer.run(sql);
    const rows = open ?? new Map(committed);
    for (const [op, id, n] of did) {
      if (op === "delete" || op === "before") rows.delete(id);
      else rows.set(id, n);
    }
    changes.push(...did);
    if (open !== undefined) return;
    committed = rows;
    await told();
  };
  const end = async (how: "commit" | "rollback"): Promise<void> => {
    if (open === undefined) return;
    await server.writer.run(how);
    const after = open;
    open = undefined;
    if (how === "rollback") {
      changes = [];
      return;
    }
    committed = after;
    await told();
  };
  const apply = async (what: Act): Promise<void> => {
    const rows = open ?? committed;
    switch (what.do) {
      case "begin":
        if (open !== undefined) return;
        await server.writer.run("BEGIN TRANSACTION");
        open = new Map(committed);
        return;
      case "commit":
      case "rollback":
        return end(what.do);
      case "insert":
        if (rows.has(what.id)) return;
        return change(`INSERT INTO ${table} (Id, N) VALUES (${what.id}, ${what.n})`, ["insert", what.id, what.n]);
      case "update": {
        const before = rows.get(what.id);
        if (before === undefined) return;
        const sql = `UPDATE ${table} SET N = ${what.n} WHERE Id = ${what.id}`;
        return change(sql, ["before", what.id, before], ["update", what.id, what.n]);
      }
      case "delete": {
        const before = rows.get(what.id);
        if (before === undefined) return;
        return change(`DELETE FROM ${table} WHERE Id = ${what.id}`, ["delete", what.id, before]);
      }
      case "rekey": {
        const n = rows.get(what.id);
        if (n === undefined || rows.has(what.to)) return;
        const sql = `UPDATE ${table} SET Id = ${what.to} WHERE Id = ${what.id}`;
        return change(sql, ["delete", what.id, n], ["insert", what.to, n]);
      }
      default:
        what satisfies never;
    }
  };
  return {
    get committed() {
      return committed;
    },
    act: apply,
    settle: () => end("commit"),
  };
}
