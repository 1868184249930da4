/** The tables of which a connection's rules mask something. */
import { isReadRule, type MssqlConnection } from "@sallyport/shared/schema/policy.ts";

/** Names and patterns, in the order of the file. */
export const maskedTables = ({ rules }: MssqlConnection): readonly string[] =>
  rules.flatMap((rule) =>
    isReadRule(rule) && "tables" in rule && Object.keys(rule.mask ?? {}).length > 0 ? rule.tables : [],
  );
