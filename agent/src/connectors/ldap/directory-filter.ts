/** A request's structured filter as what `ldapts` writes: values become bytes of their own, so none is ever part of a filter's text. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { DirectoryFilter } from "@sallyport/shared/schema/filter.ts";
import {
  AndFilter,
  EqualityFilter,
  ExtensibleFilter,
  type Filter,
  GreaterThanEqualsFilter,
  LessThanEqualsFilter,
  NotFilter,
  OrFilter,
  PresenceFilter,
  SubstringFilter,
} from "ldapts";
import type { AttributeTypes } from "./attribute-types.ts";
import { columnOf } from "./column-type.ts";
import { guidBytes, sidBytes } from "./sid.ts";
import { fileTime, generalizedTime, writeFileTime, writeGeneralizedTime } from "./time.ts";

type Condition = Exclude<DirectoryFilter, { all: unknown } | { any: unknown } | { not: unknown }>;

const BIT_RULES = { bitsAll: "1.2.840.113556.1.4.803", bitsAny: "1.2.840.113556.1.4.804" } as const;

/** @throws SallyportError `request.invalid` for a value that is nothing for its attribute */
export function ldapFilter(filter: DirectoryFilter, types: AttributeTypes): Filter {
  if ("all" in filter) return new AndFilter({ filters: filter.all.map((one) => ldapFilter(one, types)) });
  if ("any" in filter) return new OrFilter({ filters: filter.any.map((one) => ldapFilter(one, types)) });
  if ("not" in filter) return new NotFilter({ filter: ldapFilter(filter.not, types) });
  return conditionOf(filter, types);
}

function conditionOf(condition: Condition, types: AttributeTypes): Filter {
  const type = types.get(condition.attribute.toLowerCase());
  const attribute = type?.name ?? condition.attribute;
  if (condition.is === "present") return new PresenceFilter({ attribute });
  const { value } = condition;
  switch (condition.is) {
    case "equal":
      return new EqualityFilter({ attribute, value: bytesOf(condition, types) });
    case "atLeast":
      return new GreaterThanEqualsFilter({ attribute, value: orderedOf(condition, types) });
    case "atMost":
      return new LessThanEqualsFilter({ attribute, value: orderedOf(condition, types) });
    case "startsWith":
      return new SubstringFilter({ attribute, initial: value });
    case "endsWith":
      return new SubstringFilter({ attribute, final: value });
    case "contains":
      return new SubstringFilter({ attribute, any: [value] });
    case "bitsAll":
    case "bitsAny":
      if (!/^-?[0-9]{1,19}$/.test(value)) throw nothingFor(condition);
      return new ExtensibleFilter({ matchType: attribute, rule: BIT_RULES[condition.is], value });
    default:
      return condition satisfies never;
  }
}

/** As rows show it, to what the directory stores: a GUID and a SID as bytes, times in the attribute's own form. */
function bytesOf(condition: Extract<Condition, { value: string }>, types: AttributeTypes): Buffer | string {
  const { value } = condition;
  const type = types.get(condition.attribute.toLowerCase());
  if (type === undefined) return value;
  const column = columnOf(type).type;
  const { kind } = column.kind === "list" ? column.of : column;
  const taken =
    kind === "fixedBinary" ? guidOf(value) : kind === "binary" ? base64urlOf(value) : plain(kind, type.syntax, value);
  if (taken === undefined) throw nothingFor(condition);
  return taken;
}

/** Of bytes no directory says which come first. */
function orderedOf(condition: Extract<Condition, { value: string }>, types: AttributeTypes): string {
  const value = bytesOf(condition, types);
  if (typeof value !== "string") throw nothingFor(condition);
  return value;
}

function plain(kind: string, syntax: string, value: string): Buffer | string | undefined {
  if (syntax === "2.5.5.17") return sidBytes(value);
  if (kind === "timestamp") return timeOf(syntax, value);
  if (kind === "int") return /^-?[0-9]{1,19}$/.test(value) ? value : undefined;
  if (kind === "bool") return /^(true|false)$/i.test(value) ? value.toUpperCase() : undefined;
  return value;
}

/** Also as the directory itself writes it. */
function timeOf(syntax: string, value: string): string | undefined {
  if (syntax === "2.5.5.16") return fileTime(value) === undefined ? writeFileTime(value) : value;
  return generalizedTime(value) === undefined ? writeGeneralizedTime(value) : value;
}

const guidOf = (value: string): Buffer | undefined =>
  /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value) ? guidBytes(value) : undefined;

function base64urlOf(value: string): Buffer | undefined {
  const bytes = Buffer.from(value, "base64url");
  return bytes.toString("base64url") === value ? bytes : undefined;
}

const nothingFor = ({ attribute }: Condition): SallyportError =>
  new SallyportError("request.invalid", `A value of the filter is nothing for attribute ${attribute}.`, {
    field: "operation.filter",
    attribute,
  });
