import type { SystemProperty } from "../broker/facets.ts";

/** A filter's condition, taken apart. */
export type Predicate =
  | { readonly is: "and" | "or"; readonly left: Predicate; readonly right: Predicate }
  | { readonly is: "not"; readonly of: Predicate }
  | { readonly is: "compared"; readonly by: Comparison; readonly left: Operand; readonly right: Operand }
  | { readonly is: "in"; readonly operand: Operand; readonly among: readonly Constant[] }
  | { readonly is: "like"; readonly operand: Operand; readonly pattern: Pattern }
  | { readonly is: "null"; readonly property: Property }
  | { readonly is: "existing"; readonly property: UserProperty };

export type Comparison = "=" | "<>" | "<" | "<=" | ">" | ">=";

export type Constant = string | number | boolean;

export type UserProperty = {
  readonly scope: "user";
  /** In lower case, because a filter's names are compared without it. */
  readonly name: string;
};

export type Property = UserProperty | { readonly scope: "sys"; readonly name: SystemProperty };

export type Operand = { readonly constant: Constant } | { readonly property: Property };

/** A LIKE pattern: text to be found as it is, and the two wildcards. */
export type Pattern = readonly ({ readonly text: string } | "one" | "any")[];
