/** Constraints of route parameters. Source: "Routing in ASP.NET Core", route constraints. */
export type Constraint = (value: string) => boolean;

const INT32 = { min: -(2n ** 31n), max: 2n ** 31n - 1n };
const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

const PLAIN: Readonly<Record<string, Constraint>> = {
  int: (value) => isWhole(value, INT32),
  long: (value) => isWhole(value, INT64),
  bool: (value) => /^(true|false)$/i.test(value),
  guid: (value) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value),
  alpha: (value) => /^[a-z]*$/i.test(value),
  double: (value) => /^[+-]?\d*\.?\d+(e[+-]?\d+)?$/i.test(value),
  decimal: (value) => /^[+-]?\d*\.?\d+$/.test(value),
  required: (value) => value !== "",
};

const WITH_NUMBERS: Readonly<Record<string, (value: string, numbers: readonly number[]) => boolean>> = {
  min: (value, [least = 0]) => isWhole(value, INT64) && Number(value) >= least,
  max: (value, [most = 0]) => isWhole(value, INT64) && Number(value) <= most,
  range: (value, [least = 0, most = 0]) => isWhole(value, INT64) && Number(value) >= least && Number(value) <= most,
  minlength: (value, [least = 0]) => value.length >= least,
  maxlength: (value, [most = 0]) => value.length <= most,
  length: (value, [least = 0, most = least]) => value.length >= least && value.length <= most,
};

/** Reads one constraint, such as `int`, `range(1,5)` or `regex(^a)`. Throws an Error for one this host has not. */
export function parseConstraint(text: string): Constraint {
  const [, name = "", argument] = /^([a-z]+)(?:\((.*)\))?$/i.exec(text) ?? [];
  const key = name.toLowerCase();
  if (argument === undefined) {
    const plain = PLAIN[key];
    if (plain !== undefined) return plain;
  } else if (key === "regex") {
    const pattern = new RegExp(argument, "i");
    return (value) => pattern.test(value);
  } else {
    const accepts = WITH_NUMBERS[key];
    const numbers = argument.split(",").map(Number);
    if (accepts !== undefined && numbers.every(Number.isFinite)) return (value) => accepts(value, numbers);
  }
  throw new Error(`this host does not know the route constraint "${text}"`);
}

function isWhole(value: string, bounds: { min: bigint; max: bigint }): boolean {
  if (!/^[+-]?\d{1,20}$/.test(value)) return false;
  const whole = BigInt(value.replace("+", ""));
  return whole >= bounds.min && whole <= bounds.max;
}
