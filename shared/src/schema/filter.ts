/** Structured filters: conditions as data, bound or escaped where they are used, so that no value ever becomes a part of a query. */
import { z } from "zod";
import { schemaName } from "./directory-words.ts";
import { columnName } from "./operation-words.ts";

/** Numbers beyond 2^53, decimals, times and binary travel as text. */
const sqlValue = z.union([z.string().max(2000), z.number(), z.boolean()]);

/** One condition on a column of a table. All of a request's must hold. */
const sqlCondition = z.discriminatedUnion("is", [
  z.strictObject({
    column: columnName,
    is: z.enum(["equal", "notEqual", "less", "atMost", "greater", "atLeast"]),
    value: sqlValue,
  }),
  z.strictObject({ column: columnName, is: z.literal("in"), values: z.array(sqlValue).min(1).max(500) }),
  z.strictObject({ column: columnName, is: z.enum(["null", "notNull"]) }),
]);
export type SqlCondition = z.infer<typeof sqlCondition>;

export const sqlFilter = z.array(sqlCondition).min(1).max(32);

const directoryCondition = z.discriminatedUnion("is", [
  z.strictObject({
    attribute: schemaName,
    /** `bitsAll`, `bitsAny`: of a whole number, by the rules 1.2.840.113556.1.4.803 and 804 [MS-ADTS 3.1.1.3.4.4]. */
    is: z.enum(["equal", "startsWith", "endsWith", "contains", "atLeast", "atMost", "bitsAll", "bitsAny"]),
    value: z.string().min(1).max(2000),
  }),
  z.strictObject({ attribute: schemaName, is: z.literal("present") }),
]);

export type DirectoryFilter =
  | z.infer<typeof directoryCondition>
  | { readonly all: readonly DirectoryFilter[] }
  | { readonly any: readonly DirectoryFilter[] }
  | { readonly not: DirectoryFilter };

const MAX_DEPTH = 20;
const MAX_NODES = 500;

const tree: z.ZodType<DirectoryFilter> = z.lazy(() =>
  z.union([
    directoryCondition,
    z.strictObject({ all: z.array(tree).min(1).max(MAX_NODES) }),
    z.strictObject({ any: z.array(tree).min(1).max(MAX_NODES) }),
    z.strictObject({ not: tree }),
  ]),
);

/** Judged before anything walks it by recursion: a request has room for a tree that would end the stack. */
export const directoryFilter = z.unknown().refine(isSmall, "at most 20 deep, and 500 conditions").pipe(tree);

function isSmall(filter: unknown): boolean {
  let level: unknown[] = [filter];
  let nodes = 0;
  for (let depth = 0; level.length > 0; depth += 1) {
    nodes += level.length;
    if (depth >= MAX_DEPTH || nodes > MAX_NODES) return false;
    level = level.flatMap(inside);
  }
  return true;
}

function inside(node: unknown): unknown[] {
  if (typeof node !== "object" || node === null) return [];
  const { all, any, not } = node as Record<string, unknown>;
  return [all, any].flatMap((list) => (Array.isArray(list) ? list : [])).concat(not === undefined ? [] : [not]);
}

/** Every attribute that a filter looks at: each could tell what it holds. */
export function attributesOf(filter: DirectoryFilter): string[] {
  if ("all" in filter) return filter.all.flatMap(attributesOf);
  if ("any" in filter) return filter.any.flatMap(attributesOf);
  return "not" in filter ? attributesOf(filter.not) : [filter.attribute];
}
