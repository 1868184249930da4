/** SELECT as SQLite's SELECT, with the columns of its result. */
import { sqlError } from "../values/errors.ts";
import { isString, type SqlType } from "../values/type.ts";
import type { Expression, Order, Query, Select, SelectItem } from "./ast.ts";
import { bindCondition, bindValue } from "./bind-expression.ts";
import { bindSource } from "./bind-source.ts";
import {
  type Binding,
  type Bound,
  type BoundQuery,
  commonType,
  comparable,
  converted,
  INT,
  type Scope,
} from "./bound.ts";
import { syntaxError } from "./cursor.ts";

interface Item {
  readonly name: string;
  readonly bound: Bound;
}

interface BoundSelect {
  readonly items: readonly Item[];
  readonly tail: string;
  readonly distinct: boolean;
  readonly scope: Scope;
  readonly grouped: boolean;
}

export function bindQuery(binding: Binding, query: Query, parent: Scope | null): BoundQuery {
  for (const common of query.with) binding.common.set(common.name.toLowerCase(), common);
  const selects = [query.first, ...query.rest.map(({ select }) => select)].map((select) =>
    bindSelect(binding, select, parent),
  );
  const [first] = selects;
  if (first === undefined) throw sqlError(102, "SELECT");
  const types = first.items.map((item, at) => unionType(selects, item, at));
  const texts = selects.map((select) => selectSql(binding, select, types));
  let sql = texts[0] ?? "";
  query.rest.forEach(({ operator }, at) => {
    sql += ` ${operator} ${texts[at + 1]}`;
  });
  if (query.order.length > 0) sql += ` ORDER BY ${orderBy(binding, query, first, selects.length > 1)}`;
  sql += limits(binding, query);
  const columns = first.items.map(({ name, bound }, at) => {
    const nullable = selects.some((select) => select.items[at]?.bound.nullable ?? true);
    const identity = bound.column?.column.identity !== undefined && bound.column.column.identity !== null;
    return { name, type: types[at] ?? INT, nullable, identity, bound };
  });
  return { sql, columns };
}

function unionType(selects: readonly BoundSelect[], item: Item, at: number): SqlType {
  let type = item.bound.type;
  for (const select of selects.slice(1)) {
    if (select.items.length !== selects[0]?.items.length) throw sqlError(213);
    const other = select.items[at]?.bound.type ?? null;
    type = type === null ? other : commonType(type, other);
  }
  return type ?? INT;
}

function selectSql(binding: Binding, select: BoundSelect, types: readonly SqlType[]): string {
  const items = select.items.map(({ bound }, at) => {
    const value = converted(binding, bound, types[at] ?? INT);
    const plain = select.distinct && value.type !== null && isString(value.type) && bound.column === undefined;
    return `${plain ? `${value.sql} COLLATE ${value.type.collation.sqlite}` : value.sql} AS c${at}`;
  });
  return `SELECT ${select.distinct ? "DISTINCT " : ""}${items.join(", ")}${select.tail}`;
}

function bindSelect(binding: Binding, select: Select, parent: Scope | null): BoundSelect {
  const scope: Scope = { parent, sources: [] };
  const from = select.from === null ? "" : ` FROM ${bindSource(binding, scope, select.from)}`;
  const where = select.where === null ? "" : ` WHERE ${bindCondition(binding, scope, select.where)}`;
  const groups = select.group.map((group) => bindValue(binding, scope, group));
  const [outerBare, outerAggregates] = [binding.bare, binding.aggregates];
  binding.bare = [];
  binding.aggregates = 0;
  const items = select.items.flatMap((item) => bindItem(binding, scope, item, groups));
  const having = select.having === null ? "" : ` HAVING ${bindCondition(binding, scope, select.having)}`;
  const grouped = groups.length > 0 || binding.aggregates > 0 || having !== "";
  if (grouped) checkGrouped(binding.bare, groups, scope);
  binding.bare = outerBare;
  binding.aggregates = outerAggregates;
  const group = groups.length === 0 ? "" : ` GROUP BY ${groups.map(comparable).join(", ")}`;
  return { items, tail: `${from}${where}${group}${having}`, distinct: select.distinct, scope, grouped };
}

// SQLite would take any row's value for a column outside GROUP BY; SQL Server refuses it.
function checkGrouped(bare: readonly { sql: string; name: string }[], groups: readonly Bound[], scope: Scope): void {
  const own = new Set(scope.sources.flatMap((source) => source.columns.map((column) => column.bound.sql)));
  const allowed = new Set(groups.map((group) => group.sql));
  for (const { sql, name } of bare) if (own.has(sql) && !allowed.has(sql)) throw sqlError(8120, name);
}

function bindItem(binding: Binding, scope: Scope, item: SelectItem, groups: readonly Bound[]): Item[] {
  if (item.is === "assign") throw sqlError(102, "=");
  if (item.is === "star") {
    const wanted = item.of?.toLowerCase();
    const sources = scope.sources.filter((source) => wanted === undefined || source.alias.toLowerCase() === wanted);
    if (sources.length === 0) throw sqlError(208, item.of ?? "*");
    const items = sources.flatMap((source) => source.columns.map(({ name, bound }) => ({ name, bound })));
    for (const { name, bound } of items) binding.bare?.push({ sql: bound.sql, name });
    return items;
  }
  const before = binding.bare?.length ?? 0;
  const bound = bindValue(binding, scope, item.value);
  // An item that is itself grouped by may use its columns.
  if (groups.some((group) => group.sql === bound.sql)) binding.bare?.splice(before);
  const name = item.alias ?? (item.value.is === "column" ? (item.value.parts.at(-1) ?? "") : "");
  return [{ name, bound }];
}

function orderBy(binding: Binding, query: Query, select: BoundSelect, united: boolean): string {
  return query.order
    .map((order) => `${orderTerm(binding, order, select, united)}${order.descending ? " DESC" : ""}`)
    .join(", ");
}

function orderTerm(binding: Binding, { by }: Order, select: BoundSelect, united: boolean): string {
  const position = positionOf(by, select.items);
  if (position !== null) {
    const item = select.items[position];
    if (item === undefined) throw sqlError(102, String(position + 1));
    return united || select.distinct ? orderedColumn(position, item.bound) : comparable(item.bound);
  }
  if (united) throw "token" in by ? syntaxError(by.token) : sqlError(102, "ORDER");
  return comparable(bindValue(binding, select.scope, by));
}

function orderedColumn(position: number, bound: Bound): string {
  if (bound.type !== null && isString(bound.type)) return `c${position} COLLATE ${bound.type.collation.sqlite}`;
  return `c${position}`;
}

// A number or an alias of the list comes before any column of that name.
function positionOf(by: Expression, items: readonly Item[]): number | null {
  if (by.is === "literal" && typeof by.value === "number") return by.value - 1;
  if (by.is !== "column" || by.parts.length > 1) return null;
  const wanted = by.parts[0]?.toLowerCase();
  const at = items.findIndex((item) => item.name.toLowerCase() === wanted);
  return at < 0 ? null : at;
}

function limits(binding: Binding, query: Query): string {
  const { top } = query.first;
  const count = (expression: Expression): string => {
    const bound = bindValue(binding, null, expression);
    return bound.sql;
  };
  if (query.offset !== null) {
    return ` LIMIT ${query.fetch === null ? -1 : count(query.fetch)} OFFSET ${count(query.offset)}`;
  }
  return top === null ? "" : ` LIMIT ${count(top)}`;
}
