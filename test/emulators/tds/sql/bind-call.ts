/** Calls of built-in functions: aggregates, text, numbers, dates. What asks about the server is in server-functions.ts. */
import { type SqlErrorNumber, sqlError } from "../values/errors.ts";
import { fromMoment } from "../values/moments.ts";
import { DAYS_TO_1900, TICKS_A_DAY } from "../values/time.ts";
import { familyOf, isString, isUnicode, MAX, type SqlType, sqlType } from "../values/type.ts";
import type { Expression } from "./ast.ts";
import { type Binding, type Bound, commonType, comparable, computed, constant, converted, INT } from "./bound.ts";
import { typeIndex } from "./runtime.ts";
import { serverFunction } from "./server-functions.ts";

export interface CallContext {
  readonly binding: Binding;
  readonly expression: Expression & { is: "call" };
  readonly value: (expression: Expression) => Bound;
  readonly condition: (expression: Expression) => string;
}

type Builder = (context: CallContext, args: readonly Bound[]) => Bound;

const BIGINT = sqlType("bigint");
const NTEXT = sqlType("nvarchar", { length: MAX });

export function bindCall(context: CallContext): Bound {
  const { expression, binding } = context;
  const aggregate = AGGREGATES[expression.name];
  if (aggregate !== undefined) return bindAggregate(context, aggregate);
  if (expression.name === "iif") {
    const [test, yes, no] = expression.args;
    if (test === undefined || yes === undefined || no === undefined) throw wrongCount(expression);
    const [a, b] = [context.value(yes), context.value(no)];
    const type = commonType(a.type, b.type);
    const sql = `CASE WHEN ${context.condition(test)} THEN ${converted(binding, a, type).sql} ELSE ${converted(binding, b, type).sql} END`;
    return computed(sql, type);
  }
  const [least, most, build] = FUNCTIONS[expression.name] ?? [0, 99, serverFunction];
  if (expression.args.length < least || expression.args.length > most) throw wrongCount(expression);
  return build(context, expression.args.map(context.value));
}

function wrongCount(expression: Expression & { is: "call" }): Error {
  const number: SqlErrorNumber = 174;
  const error = sqlError(number, expression.name);
  error.line = expression.token.line;
  return error;
}

type Aggregate = (binding: Binding, of: Bound, distinct: string) => Bound;

const AGGREGATES: Readonly<Record<string, Aggregate | "count" | "rank">> = {
  count: "count",
  count_big: "count",
  row_number: "rank",
  rank: "rank",
  dense_rank: "rank",
  sum: (_binding, of, distinct) => sumOf(of, distinct),
  avg: averageOf,
  min: (_binding, of) => computed(`min(${minMax(of)})`, of.type ?? INT),
  max: (_binding, of) => computed(`max(${minMax(of)})`, of.type ?? INT),
};

const minMax = (of: Bound): string =>
  of.type !== null && isString(of.type) ? `${of.sql} COLLATE ${of.type.collation.sqlite}` : of.sql;

function bindAggregate(context: CallContext, aggregate: Aggregate | "count" | "rank"): Bound {
  const { binding, expression } = context;
  if (expression.over === null) binding.aggregates++;
  // Columns inside an aggregate need no GROUP BY.
  const bare = binding.bare;
  if (expression.over === null) binding.bare = null;
  const args = expression.args.map(context.value);
  binding.bare = bare;
  const over = expression.over === null ? "" : ` OVER (${windowSql(context)})`;
  if (aggregate === "rank") return computed(`${expression.name}()${over}`, BIGINT, false);
  const distinct = expression.distinct ? "DISTINCT " : "";
  if (aggregate === "count") {
    const [of] = args;
    const counted = of === undefined ? "*" : `${distinct}${comparable(of)}`;
    return computed(`count(${counted})${over}`, expression.name === "count" ? INT : BIGINT, false);
  }
  const [of] = args;
  if (of === undefined) throw wrongCount(expression);
  const bound = aggregate(binding, of, distinct);
  return { ...bound, sql: over === "" ? bound.sql : bound.sql + over };
}

function windowSql(context: CallContext): string {
  const over = context.expression.over ?? { partition: [], order: [] };
  const by = over.partition.map((part) => comparable(context.value(part)));
  const order = over.order.map((item) => `${comparable(context.value(item.by))}${item.descending ? " DESC" : ""}`);
  return `${by.length > 0 ? `PARTITION BY ${by.join(",")} ` : ""}${order.length > 0 ? `ORDER BY ${order.join(",")}` : ""}`;
}

function sumOf(of: Bound, distinct: string): Bound {
  const type = of.type ?? INT;
  switch (familyOf(type)) {
    case "integer": {
      const wide = type.name === "bigint" ? BIGINT : INT;
      return computed(`fit(sum(${distinct}${of.sql}),${typeIndex(wide)})`, wide);
    }
    case "decimal":
      return computed(`sum_dec(${distinct}${of.sql})`, sqlType("decimal", { precision: 38, scale: type.scale }));
    case "money":
      return computed(`sum(${distinct}${of.sql})`, sqlType("money"));
    case "float":
      return computed(`sum(${distinct}${of.sql})`, sqlType("float"));
    default:
      throw sqlError(8114, type.name, "numeric");
  }
}

function averageOf(binding: Binding, of: Bound, distinct: string): Bound {
  const sum = sumOf(of, distinct);
  const type = sum.type ?? INT;
  const count = `count(${distinct}${of.sql})`;
  if (familyOf(type) === "float") return computed(`avg(${distinct}${of.sql})`, type);
  if (familyOf(type) !== "decimal") return computed(`(${sum.sql} / nullif(${count},0))`, type);
  const result = sqlType("decimal", { precision: 38, scale: Math.max(type.scale, 6) });
  const divisor = converted(
    binding,
    computed(`nullif(${count},0)`, INT),
    sqlType("decimal", { precision: 10, scale: 0 }),
  );
  return computed(`dec('/',${sum.sql},${divisor.sql},${type.scale},0,${typeIndex(result)})`, result);
}

const text = (context: CallContext, bound: Bound | undefined): Bound =>
  converted(context.binding, bound ?? constant(context.binding, null, NTEXT), textType(bound));
const textType = (bound: Bound | undefined): SqlType =>
  bound?.type !== null && bound?.type !== undefined && isString(bound.type)
    ? { ...bound.type, name: isUnicode(bound.type) ? "nvarchar" : "varchar" }
    : NTEXT;
const int = (context: CallContext, bound: Bound | undefined): string =>
  converted(context.binding, bound ?? constant(context.binding, null, INT), BIGINT).sql;

const onText =
  (format: (sql: string) => string): Builder =>
  (context, [of]) => {
    const bound = text(context, of);
    return computed(format(bound.sql), bound.type ?? NTEXT);
  };

/** Arguments at least, at most, and how the call is translated. */
const FUNCTIONS: Readonly<Record<string, readonly [number, number, Builder]>> = {
  coalesce: [1, 99, (context, args) => coalesce(context.binding, args, null)],
  isnull: [2, 2, (context, args) => coalesce(context.binding, args, args[0]?.type ?? null)],
  nullif: [2, 2, nullIf],
  len: [1, 1, (context, [of]) => computed(`len(${text(context, of).sql})`, INT)],
  datalength: [1, 1, dataLength],
  upper: [1, 1, onText((sql) => `upper16(${sql})`)],
  lower: [1, 1, onText((sql) => `lower16(${sql})`)],
  ltrim: [1, 1, onText((sql) => `ltrim(${sql})`)],
  rtrim: [1, 1, onText((sql) => `rtrim(${sql})`)],
  trim: [1, 1, onText((sql) => `trim(${sql})`)],
  left: [2, 2, (context, [of, n]) => withText(context, of, (sql) => `sub16(${sql},1,${int(context, n)})`)],
  right: [2, 2, (context, [of, n]) => withText(context, of, (sql) => `right16(${sql},${int(context, n)})`)],
  substring: [3, 3, substring],
  replace: [
    3,
    3,
    (context, [of, a, b]) =>
      grown(context, of, (sql) => `replace16(${sql},${text(context, a).sql},${text(context, b).sql})`),
  ],
  replicate: [2, 2, (context, [of, n]) => grown(context, of, (sql) => `repeat16(${sql},${int(context, n)})`)],
  quotename: [
    1,
    1,
    (context, [of]) =>
      computed(`('[' || replace(${text(context, of).sql},']',']]') || ']')`, sqlType("nvarchar", { length: 258 })),
  ],
  charindex: [
    2,
    3,
    (context, [part, of, from]) =>
      computed(
        `index16(${text(context, part).sql},${text(context, of).sql},${from === undefined ? 1 : int(context, from)})`,
        INT,
      ),
  ],
  concat: [
    2,
    254,
    (context, args) =>
      computed(
        `sub16(${args.map((arg) => `ifnull(${converted(context.binding, arg, NTEXT).sql},'')`).join(" || ")},1,4000)`,
        sqlType("nvarchar", { length: 4000 }),
        false,
      ),
  ],
  abs: [1, 1, absolute],
  floor: [1, 1, (context, [of]) => rounded(context, "floor", of)],
  ceiling: [1, 1, (context, [of]) => rounded(context, "ceiling", of)],
  round: [2, 2, (context, [of, digits]) => rounded(context, "round", of, digits)],
  power: [
    2,
    2,
    (context, [a, b]) => computed(`mathf('power',${number(context, a)},${number(context, b)})`, sqlType("float")),
  ],
  sqrt: [1, 1, (context, [a]) => computed(`mathf('sqrt',${number(context, a)},0)`, sqlType("float"))],
  newid: [0, 0, () => computed("new_guid()", sqlType("uniqueidentifier"), false)],
  getdate: [0, 0, (context) => now(context, sqlType("datetime"))],
  getutcdate: [0, 0, (context) => now(context, sqlType("datetime"))],
  sysdatetime: [0, 0, (context) => now(context, sqlType("datetime2"))],
  sysutcdatetime: [0, 0, (context) => now(context, sqlType("datetime2"))],
  sysdatetimeoffset: [0, 0, (context) => now(context, sqlType("datetimeoffset"))],
  dateadd: [3, 3, dateAdd],
  datediff: [3, 3, (context, args) => dateDifference(context, args, INT)],
  datediff_big: [3, 3, (context, args) => dateDifference(context, args, BIGINT)],
  datepart: [2, 2, (context, [part, of]) => datePart(context, String(part?.constant), of)],
  year: [1, 1, (context, [of]) => datePart(context, "year", of)],
  month: [1, 1, (context, [of]) => datePart(context, "month", of)],
  day: [1, 1, (context, [of]) => datePart(context, "day", of)],
};

function withText(context: CallContext, of: Bound | undefined, format: (sql: string) => string): Bound {
  const bound = text(context, of);
  return computed(format(bound.sql), bound.type ?? NTEXT);
}

// What may grow is cut at 8000 bytes, unless it began as (max).
function grown(context: CallContext, of: Bound | undefined, format: (sql: string) => string): Bound {
  const bound = text(context, of);
  const type = bound.type ?? NTEXT;
  if (type.length === MAX) return computed(format(bound.sql), type);
  const length = isUnicode(type) ? 4000 : 8000;
  return computed(`sub16(${format(bound.sql)},1,${length})`, { ...type, length });
}

const number = (context: CallContext, bound: Bound | undefined): string =>
  converted(context.binding, bound ?? constant(context.binding, null, INT), sqlType("float")).sql;

function coalesce(binding: Binding, args: readonly Bound[], fixed: SqlType | null): Bound {
  const type =
    fixed ??
    args.map((arg) => arg.type).reduce((a, b) => (a === null && b === null ? null : commonType(a, b)), null) ??
    INT;
  const list = args.map((arg) => converted(binding, arg, type).sql);
  return computed(
    list.length === 1 ? (list[0] ?? "NULL") : `coalesce(${list.join(",")})`,
    type,
    args.every((arg) => arg.nullable),
  );
}

function nullIf(context: CallContext, [a, b]: readonly Bound[]): Bound {
  if (a === undefined || b === undefined) throw wrongCount(context.expression);
  const type = commonType(a.type, b.type);
  const [x, y] = [converted(context.binding, a, type), converted(context.binding, b, type)];
  return computed(`CASE WHEN ${comparable(x)} = ${comparable(y)} THEN NULL ELSE ${a.sql} END`, a.type ?? INT);
}

function dataLength(context: CallContext, [of]: readonly Bound[]): Bound {
  if (of?.type === null || of === undefined) return constant(context.binding, null, INT);
  const bytes = converted(context.binding, of, sqlType("varbinary", { length: MAX }));
  return computed(`length(${bytes.sql})`, INT);
}

function substring(context: CallContext, [of, from, length]: readonly Bound[]): Bound {
  if (of?.type !== null && of !== undefined && familyOf(of.type) === "binary") {
    return computed(`substr(${of.sql},${int(context, from)},${int(context, length)})`, of.type);
  }
  return withText(context, of, (sql) => `sub16(${sql},${int(context, from)},${int(context, length)})`);
}

function absolute(context: CallContext, [of]: readonly Bound[]): Bound {
  const type = of?.type ?? INT;
  if (of === undefined || familyOf(type) !== "decimal") return computed(`abs(${of?.sql ?? "NULL"})`, type);
  const zero = converted(context.binding, constant(context.binding, 0, INT), type);
  return computed(`CASE WHEN ${of.sql} < ${zero.sql} THEN neg_dec(${of.sql}) ELSE ${of.sql} END`, type);
}

function rounded(context: CallContext, mode: string, of: Bound | undefined, digits?: Bound): Bound {
  const type = of?.type ?? INT;
  if (of === undefined || familyOf(type) === "integer") return of ?? constant(context.binding, null, INT);
  const count = digits === undefined ? "0" : int(context, digits);
  if (familyOf(type) === "float") return computed(`mathf('${mode}',${of.sql},${count})`, type);
  const decimal = sqlType("decimal", { precision: 38, scale: familyOf(type) === "money" ? 4 : type.scale });
  const value = converted(context.binding, of, decimal);
  const result = computed(`scale_dec(${value.sql},${decimal.scale},${count},'${mode}')`, decimal);
  return converted(context.binding, result, mode === "round" ? type : { ...decimal, scale: 0 });
}

const DAYS_1900_TO_1970 = 25_567;

// One moment for the whole statement, as SQL Server has it.
function now(context: CallContext, type: SqlType): Bound {
  const ms = Date.now();
  const days = Math.floor(ms / 86_400_000);
  const ticks = (ms % 86_400_000) * 10_000 + Math.floor((performance.now() % 1) * 10_000);
  const moment = { days: days + DAYS_1900_TO_1970 + DAYS_TO_1900, ticks: ticks % TICKS_A_DAY, offsetMinutes: 0 };
  return { ...constant(context.binding, fromMoment(moment, type), type), nullable: false };
}

function temporal(context: CallContext, bound: Bound | undefined): Bound {
  const of = bound ?? constant(context.binding, null, sqlType("datetime2"));
  if (of.type !== null && familyOf(of.type) === "time") return of;
  const text = of.type !== null && isString(of.type);
  return converted(context.binding, of, text ? sqlType("datetime2") : sqlType("datetime"));
}

function dateAdd(context: CallContext, [part, count, of]: readonly Bound[]): Bound {
  const value = temporal(context, of);
  const type = value.type ?? sqlType("datetime2");
  return computed(`date_add(${part?.sql},${int(context, count)},${value.sql},${typeIndex(type)})`, type);
}

function dateDifference(context: CallContext, [part, from, to]: readonly Bound[], type: SqlType): Bound {
  const [a, b] = [temporal(context, from), temporal(context, to)];
  const types = [a, b].map((bound) => typeIndex(bound.type ?? sqlType("datetime2")));
  const sql = `date_diff(${part?.sql},${a.sql},${types[0]},${b.sql},${types[1]})`;
  return computed(`fit(${sql},${typeIndex(type)})`, type);
}

function datePart(context: CallContext, part: string, of: Bound | undefined): Bound {
  const value = temporal(context, of);
  return computed(
    `date_part('${part.replaceAll("'", "")}',${value.sql},${typeIndex(value.type ?? sqlType("datetime2"))})`,
    INT,
  );
}
