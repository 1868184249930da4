/** The functions that translated SQL calls inside SQLite. They work on values as SQLite keeps them. */
import type { DatabaseSync } from "node:sqlite";
import { assign, convert } from "../values/convert.ts";
import { fitDecimal, packDecimal, power10, rescale, unpackDecimal } from "../values/decimal.ts";
import { sqlError } from "../values/errors.ts";
import { fromMoment, toMoment } from "../values/moments.ts";
import { type SqlType, type SqlValue, sqlType, TYPES } from "../values/type.ts";
import { stepLsn } from "./cdc.ts";
import { addTo, difference, partOf } from "./date-functions.ts";
import { likePattern } from "./like.ts";
import type { State } from "./state.ts";

const types: SqlType[] = [];
const indexes = new Map<string, number>();

/** The number under which translated SQL names a type. */
export function typeIndex(type: SqlType): number {
  const key = `${type.name} ${type.length} ${type.precision} ${type.scale} ${type.collation.name}`;
  const known = indexes.get(key);
  if (known !== undefined) return known;
  types.push(type);
  indexes.set(key, types.length - 1);
  return types.length - 1;
}

const typeAt = (index: SqlValue): SqlType => types[Number(index)] ?? sqlType("int");

type Body = (...args: SqlValue[]) => SqlValue;

const nullable =
  (body: (...args: Exclude<SqlValue, null>[]) => SqlValue): Body =>
  (...args) =>
    args.includes(null) ? null : body(...(args as Exclude<SqlValue, null>[]));

// A JS number would reach SQLite as a float.
const kept = (value: SqlValue, type: SqlType): SqlValue =>
  typeof value === "number" && TYPES[type.name].sqlite === "INTEGER" ? BigInt(value) : value;
const whole = (value: number): bigint => BigInt(value);

const PURE: Readonly<Record<string, Body>> = {
  conv: (value, from, to, style) =>
    kept(convert(value ?? null, typeAt(from ?? 0), typeAt(to ?? 0), Number(style)), typeAt(to ?? 0)),
  tryconv: (value, from, to, style) => {
    try {
      return kept(convert(value ?? null, typeAt(from ?? 0), typeAt(to ?? 0), Number(style)), typeAt(to ?? 0));
    } catch {
      return null;
    }
  },
  assign: (value, from, to, table, column) =>
    kept(assign(value ?? null, typeAt(from ?? 0), typeAt(to ?? 0), String(table), String(column)), typeAt(to ?? 0)),
  required: (value, column, table) => {
    if (value === null) throw sqlError(515, String(column), String(table));
    return value ?? null;
  },
  nz: (value) => {
    if (value === 0n || value === 0) throw sqlError(8134);
    return value ?? null;
  },
  fit: nullable((value, type) => {
    const { name } = typeAt(type);
    // SQLite turns an integer overflow into a float.
    if (typeof value === "number") throw sqlError(8115, "expression", name);
    return kept(convert(value, sqlType("bigint"), typeAt(type)), typeAt(type));
  }),
  lsn_step: nullable((value, step) => stepLsn(value as Uint8Array, BigInt(step as bigint))),
  dec: nullable(decimalOperation),
  neg_dec: nullable((value) => packDecimal(-unpackDecimal(value as Uint8Array))),
  scale_dec: nullable((value, from, digits, mode) =>
    roundDecimal(value as Uint8Array, Number(from), Number(digits), String(mode)),
  ),
  tlike: nullable((text, pattern, escapeBy, collation) =>
    likePattern(String(pattern), String(escapeBy), collation === "NOCASE").test(String(text)) ? 1n : 0n,
  ),
  len: nullable((text) => whole(String(text).replace(/ +$/, "").length)),
  upper16: nullable((text) => String(text).toUpperCase()),
  lower16: nullable((text) => String(text).toLowerCase()),
  sub16: nullable((text, start, length) => {
    const from = Number(start) - 1;
    return String(text).slice(Math.max(0, from), Math.max(0, from + Number(length)));
  }),
  right16: nullable((text, length) => (length === 0n ? "" : String(text).slice(-Number(length)))),
  index16: nullable((part, text, start) => {
    const from = Math.max(0, Number(start) - 1);
    return whole(String(text).toLowerCase().indexOf(String(part).toLowerCase(), from) + 1);
  }),
  replace16: nullable((text, part, by) =>
    part === "" ? text : String(text).replaceAll(new RegExp(RegExp.escape(String(part)), "gi"), () => String(by)),
  ),
  repeat16: nullable((text, count) => String(text).repeat(Math.max(0, Number(count)))),
  date_add: nullable((part, count, value, type) =>
    kept(
      fromMoment(addTo(toMoment(value, typeAt(type)), String(part), BigInt(count as bigint)), typeAt(type)),
      typeAt(type),
    ),
  ),
  date_diff: nullable((part, from, fromType, to, toType) =>
    difference(String(part), toMoment(from, typeAt(fromType)), toMoment(to, typeAt(toType))),
  ),
  date_part: nullable((part, value, type) => whole(partOf(String(part), toMoment(value, typeAt(type))))),
  mathf: nullable((name, value, other) => {
    const result = MATH[String(name)]?.(Number(value), Number(other)) ?? Number.NaN;
    if (!Number.isFinite(result)) throw sqlError(8115, "expression", "float");
    return result;
  }),
};

const MATH: Readonly<Record<string, (value: number, other: number) => number>> = {
  floor: Math.floor,
  ceiling: Math.ceil,
  power: (value, other) => value ** other,
  sqrt: (value) => Math.sqrt(value),
  round: (value, digits) => Math.round(value * 10 ** digits) / 10 ** digits,
};

function decimalOperation(...args: Exclude<SqlValue, null>[]): SqlValue {
  const [operator, l, r, leftScale, rightScale, to] = args;
  const left = { unscaled: unpackDecimal(l as Uint8Array), scale: Number(leftScale) };
  const right = { unscaled: unpackDecimal(r as Uint8Array), scale: Number(rightScale) };
  const { precision, scale } = typeAt(to ?? 0);
  const common = Math.max(left.scale, right.scale);
  const [a, b] = [rescale(left, common), rescale(right, common)];
  const exact = ((): { unscaled: bigint; scale: number } => {
    switch (operator) {
      case "+":
        return { unscaled: a + b, scale: common };
      case "-":
        return { unscaled: a - b, scale: common };
      case "*":
        return { unscaled: left.unscaled * right.unscaled, scale: left.scale + right.scale };
      default:
        if (b === 0n) throw sqlError(8134);
        // Division cuts its last digit.
        return operator === "%" ? { unscaled: a % b, scale: common } : { unscaled: (a * power10(scale)) / b, scale };
    }
  })();
  return packDecimal(fitDecimal(rescale(exact, scale), precision, "expression", "numeric"));
}

function roundDecimal(value: Uint8Array, scale: number, digits: number, mode: string): Uint8Array {
  const unscaled = unpackDecimal(value);
  if (digits >= scale) return value;
  const unit = power10(scale - digits);
  if (mode === "round") return packDecimal(rescale({ unscaled, scale }, digits) * unit);
  const cut = unscaled - (((unscaled % unit) + unit) % unit);
  return packDecimal(mode === "floor" || cut === unscaled ? cut : cut + unit);
}

/** Gives a connection these functions, and those that belong to its session. */
export function installFunctions(sqlite: DatabaseSync, state: State): void {
  for (const [name, body] of Object.entries(PURE)) {
    sqlite.function(name, { deterministic: true, useBigIntArguments: true, varargs: true }, body);
  }
  sqlite.function("next_version", () => nextVersion(state));
  sqlite.function("next_identity", { useBigIntArguments: true, varargs: true }, (...args: SqlValue[]) => {
    const [table, step] = args.map((arg) => BigInt(arg as bigint));
    const value = state.store.identities.get(Number(table)) ?? 1n;
    state.store.identities.set(Number(table), value + (step ?? 1n));
    state.identity = value;
    return value;
  });
  sqlite.function("new_guid", () => crypto.getRandomValues(new Uint8Array(16)));
  sqlite.aggregate("sum_dec", {
    start: null as unknown as Uint8Array,
    step: (total: Uint8Array | null, value: unknown) =>
      (value === null
        ? total
        : total === null
          ? value
          : packDecimal(
              fitDecimal(unpackDecimal(total) + unpackDecimal(value as Uint8Array), 38, "expression", "numeric"),
            )) as Uint8Array,
  });
}

/** The next rowversion of the database, noted as used by this session's open transaction. */
export function nextVersion(state: State): bigint {
  if (state.reservedVersion !== null) return state.reservedVersion;
  const { store } = state;
  store.lastVersion += 1n;
  if (!store.activeVersions.has(state)) store.activeVersions.set(state, store.lastVersion);
  return store.lastVersion;
}
