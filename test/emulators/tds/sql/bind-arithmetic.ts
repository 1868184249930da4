/** + - * / % and the bit operators, with SQL Server's result types [T-SQL "Precision, scale, and length"]. */
import { packDecimal, unpackDecimal } from "../values/decimal.ts";
import { sqlError } from "../values/errors.ts";
import { describe, familyOf, isString, isUnicode, MAX, type SqlType, sqlType } from "../values/type.ts";
import { asDecimal, type Binding, type Bound, commonType, computed, constant, converted } from "./bound.ts";
import { typeIndex } from "./runtime.ts";

export function arithmetic(binding: Binding, operator: string, left: Bound, right: Bound): Bound {
  if (operator.startsWith("unary")) return unary(binding, operator.slice(-1), left);
  const other = withoutNumbers(binding, operator, left, right);
  if (other !== null) return other;
  const type = commonType(left.type, right.type);
  switch (familyOf(type)) {
    case "integer":
      return integers(binding, operator, converted(binding, left, type), converted(binding, right, type), type);
    case "float":
      return floats(operator, converted(binding, left, type), converted(binding, right, type), type);
    case "money":
      if (operator === "+" || operator === "-") {
        const [x, y] = [converted(binding, left, type), converted(binding, right, type)];
        return computed(`fit(${x.sql} ${operator} ${y.sql},${typeIndex(sqlType("bigint"))})`, type);
      }
      return converted(binding, decimals(binding, operator, left, right), type);
    case "decimal":
      return decimals(binding, operator, left, right);
    default:
      throw sqlError(206, describe(type), "int");
  }
}

// Text, bytes and days: what + and - mean besides numbers.
function withoutNumbers(binding: Binding, operator: string, left: Bound, right: Bound): Bound | null {
  const [a, b] = [left.type, right.type];
  if (a === null || b === null) return null;
  if (operator === "+" && isString(a) && isString(b)) return concatenate(binding, left, right);
  if (operator === "+" && familyOf(a) === "binary" && familyOf(b) === "binary") {
    const length = a.length === MAX || b.length === MAX ? MAX : a.length + b.length;
    return computed(`CAST(${left.sql} || ${right.sql} AS BLOB)`, sqlType("varbinary", { length }));
  }
  if (familyOf(a) !== "time" || familyOf(b) !== "integer" || !"+-".includes(operator)) return null;
  const days = operator === "-" ? `-(${right.sql})` : right.sql;
  return computed(`date_add('day',${days},${left.sql},${typeIndex(a)})`, a);
}

function unary(binding: Binding, operator: string, of: Bound): Bound {
  if (of.type === null || operator === "+") return of;
  if (operator === "~") return computed(`(~ ${of.sql})`, of.type);
  if (familyOf(of.type) === "decimal") {
    if (of.constant instanceof Uint8Array) return constant(binding, packDecimal(-unpackDecimal(of.constant)), of.type);
    return computed(`neg_dec(${of.sql})`, of.type, of.nullable);
  }
  const known = of.constant;
  if (typeof known === "number" || typeof known === "bigint") return { ...of, sql: `(- ${of.sql})`, constant: -known };
  return computed(`(- ${of.sql})`, of.type, of.nullable);
}

function concatenate(binding: Binding, left: Bound, right: Bound): Bound {
  const [a, b] = [left.type as SqlType, right.type as SqlType];
  const unicode = isUnicode(a) || isUnicode(b);
  const length = a.length === MAX || b.length === MAX ? MAX : Math.min(unicode ? 4000 : 8000, a.length + b.length);
  const type = sqlType(unicode ? "nvarchar" : "varchar", { length, collation: a.collation });
  const wide = { ...type, length: MAX };
  return computed(`(${converted(binding, left, wide).sql} || ${converted(binding, right, wide).sql})`, type);
}

function integers(_binding: Binding, operator: string, left: Bound, right: Bound, type: SqlType): Bound {
  const nullable = left.nullable || right.nullable;
  const divisor = typeof right.constant === "number" && right.constant !== 0 ? right.sql : `nz(${right.sql})`;
  if (operator === "^") {
    return computed(`((${left.sql} | ${right.sql}) - (${left.sql} & ${right.sql}))`, type, nullable);
  }
  if (operator === "&" || operator === "|") return computed(`(${left.sql} ${operator} ${right.sql})`, type, nullable);
  if (operator === "%" || operator === "/") return computed(`(${left.sql} ${operator} ${divisor})`, type, nullable);
  return computed(`fit(${left.sql} ${operator} ${right.sql},${typeIndex(type)})`, type, nullable);
}

function floats(operator: string, left: Bound, right: Bound, type: SqlType): Bound {
  const real = (bound: Bound): string => `CAST(${bound.sql} AS REAL)`;
  if (operator === "/") return computed(`(${real(left)} / nz(${real(right)}))`, type);
  if (!"+-*".includes(operator)) throw sqlError(206, "float", "int");
  return computed(`(${real(left)} ${operator} ${real(right)})`, type);
}

function decimals(binding: Binding, operator: string, left: Bound, right: Bound): Bound {
  const [a, b] = [asDecimal(left.type ?? sqlType("int")), asDecimal(right.type ?? sqlType("int"))];
  const type = resultType(operator, a, b);
  const [x, y] = [converted(binding, left, a), converted(binding, right, b)];
  const sql = `dec('${operator}',${x.sql},${y.sql},${a.scale},${b.scale},${typeIndex(type)})`;
  return computed(sql, type, left.nullable || right.nullable);
}

function resultType(operator: string, a: SqlType, b: SqlType): SqlType {
  const [p1, s1, p2, s2] = [a.precision, a.scale, b.precision, b.scale];
  switch (operator) {
    case "+":
    case "-":
      return capped(Math.max(s1, s2) + Math.max(p1 - s1, p2 - s2) + 1, Math.max(s1, s2));
    case "*":
      return capped(p1 + p2 + 1, s1 + s2);
    case "/": {
      const scale = Math.max(6, s1 + p2 + 1);
      return capped(p1 - s1 + s2 + scale, scale);
    }
    case "%":
      return capped(Math.min(p1 - s1, p2 - s2) + Math.max(s1, s2), Math.max(s1, s2));
    default:
      throw sqlError(206, "numeric", "int");
  }
}

// Beyond 38 digits the scale gives way, down to six.
function capped(precision: number, scale: number): SqlType {
  if (precision <= 38) return sqlType("numeric", { precision, scale });
  const kept = Math.max(38 - (precision - scale), Math.min(scale, 6));
  return sqlType("numeric", { precision: 38, scale: kept });
}
