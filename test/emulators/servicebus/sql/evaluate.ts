import type { Facets } from "../broker/facets.ts";
import { isLike } from "./like.ts";
import type { Comparison, Operand, Predicate, Property } from "./predicate.ts";

/** Undefined is SQL's "unknown", which is neither true nor false, and which NOT leaves as it is. */
type Truth = boolean | undefined;

/** Whether a message fulfils a filter: it must be true, unknown is not enough. */
export function holds(filter: Predicate, facets: Facets): boolean {
  return truth(filter, facets) === true;
}

function truth(filter: Predicate, facets: Facets): Truth {
  switch (filter.is) {
    case "and":
      return and(truth(filter.left, facets), truth(filter.right, facets));
    case "or":
      return not(and(not(truth(filter.left, facets)), not(truth(filter.right, facets))));
    case "not":
      return not(truth(filter.of, facets));
    case "compared":
      return compare(filter.by, operandValue(filter.left, facets), operandValue(filter.right, facets));
    case "in":
      return isAmong(filter.among, operandValue(filter.operand, facets));
    case "like": {
      const value = operandValue(filter.operand, facets);
      return typeof value === "string" ? isLike(value, filter.pattern) : undefined;
    }
    case "null":
      return (propertyOf(filter.property, facets) ?? null) === null;
    case "existing":
      return keyOf(filter.property.name, facets) !== undefined;
    default:
      return filter satisfies never;
  }
}

const not = (value: Truth): Truth => (value === undefined ? undefined : !value);

function and(left: Truth, right: Truth): Truth {
  if (left === false || right === false) return false;
  return left === undefined || right === undefined ? undefined : true;
}

function isAmong(list: readonly unknown[], value: unknown): Truth {
  return isComparable(value) ? list.includes(value) : undefined;
}

// What C# would not compare, a number with text for instance, is an error of the filter in Azure and
// unknown here: the message is not selected.
function compare(by: Comparison, left: unknown, right: unknown): Truth {
  if (!isComparable(left) || typeof left !== typeof right) return undefined;
  if (by === "=") return left === right;
  if (by === "<>") return left !== right;
  return typeof left === "number" && typeof right === "number" ? isOrdered(by, left, right) : undefined;
}

function isOrdered(by: "<" | "<=" | ">" | ">=", left: number, right: number): boolean {
  switch (by) {
    case "<":
      return left < right;
    case "<=":
      return left <= right;
    case ">":
      return left > right;
    case ">=":
      return left >= right;
    default:
      return by satisfies never;
  }
}

function isComparable(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function operandValue(operand: Operand, facets: Facets): unknown {
  return "constant" in operand ? operand.constant : propertyOf(operand.property, facets);
}

function propertyOf(property: Property, facets: Facets): unknown {
  if (property.scope === "sys") return facets[property.name];
  const key = keyOf(property.name, facets);
  return key === undefined ? undefined : facets.applicationProperties[key];
}

/** The property's name as the sender wrote it. */
function keyOf(lowerName: string, { applicationProperties }: Facets): string | undefined {
  return Object.keys(applicationProperties).find((key) => key.toLowerCase() === lowerName);
}
