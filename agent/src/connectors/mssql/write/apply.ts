/** The statements that make the waiting rows part of the target, and what each of them counts. */
import type { WriteAction } from "@sallyport/shared/schema/write-operations.ts";
import { quoteName } from "../statement.ts";
import { ORDINAL, WAITING, waitingName } from "./stage.ts";
import type { Target } from "./target.ts";
import type { TargetColumn } from "./target-column.ts";

export type Counted = "inserted" | "updated" | "deleted";

export interface Step {
  readonly counts: Counted;
  readonly sql: string;
}

/** A part of the waiting rows, by their numbers; all of them without it. */
export interface Part {
  readonly from: number;
  readonly to: number;
}

/** In the order in which they run, each with its number of rows as its only answer. */
export function stepsOf(action: WriteAction, target: Target, part?: Part): readonly Step[] {
  const step = (counts: Counted, sql: string): Step => ({ counts, sql: `${sql}; SELECT @@ROWCOUNT AS changed` });
  const update = (): Step => step("updated", updateSql(target, part));
  switch (action) {
    case "insert":
      return [step("inserted", insertSql(target, part))];
    case "update":
      return [update()];
    case "delete":
      return [step("deleted", `DELETE t ${joined(target)}${where(partOf(part))}`)];
    case "upsert":
      return [...updatesIfAny(target, update), step("inserted", insertNewSql(target, part))];
    case "replace":
      return [
        // Without regard to the part: rows that are to go are none of the waiting ones.
        step("deleted", deleteOthersSql(target)),
        ...updatesIfAny(target, update),
        step("inserted", insertNewSql(target, part)),
      ];
    default:
      return action satisfies never;
  }
}

const updatesIfAny = (target: Target, update: () => Step): readonly Step[] =>
  target.columns.length > target.key.length ? [update()] : [];

const pairs = (target: Target): string =>
  target.key.map((column) => `t.${quoteName(column.name)} = s.${waitingName(target, column)}`).join(" AND ");

// A range stays locked until the end, so that nobody inserts a key between looking for it and inserting it.
const joined = (target: Target): string =>
  `FROM ${target.table} AS t WITH (UPDLOCK, HOLDLOCK) JOIN ${WAITING} AS s ON ${pairs(target)}`;

const partOf = (part: Part | undefined): readonly string[] =>
  part === undefined ? [] : [`s.${ORDINAL} >= ${part.from}`, `s.${ORDINAL} < ${part.to}`];

const where = (conditions: readonly string[]): string =>
  conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;

function updateSql(target: Target, part: Part | undefined): string {
  const set = target.columns
    .filter((column) => !target.key.includes(column))
    .map((column) => `t.${quoteName(column.name)} = s.${waitingName(target, column)}`);
  return `UPDATE t SET ${set.join(", ")} ${joined(target)}${where(partOf(part))}`;
}

const names = (columns: readonly TargetColumn[], nameOf: (column: TargetColumn) => string): string =>
  columns.map(nameOf).join(", ");

function insertSql(target: Target, part: Part | undefined, more: readonly string[] = []): string {
  const into = names(target.columns, ({ name }) => quoteName(name));
  const from = names(target.columns, (column) => `s.${waitingName(target, column)}`);
  return `INSERT INTO ${target.table} (${into}) SELECT ${from} FROM ${WAITING} AS s${where([...partOf(part), ...more])}`;
}

const insertNewSql = (target: Target, part: Part | undefined): string =>
  insertSql(target, part, [
    `NOT EXISTS (SELECT 1 FROM ${target.table} AS t WITH (UPDLOCK, HOLDLOCK) WHERE ${pairs(target)})`,
  ]);

const deleteOthersSql = (target: Target): string =>
  `DELETE t FROM ${target.table} AS t WHERE NOT EXISTS (SELECT 1 FROM ${WAITING} AS s WHERE ${pairs(target)})`;
