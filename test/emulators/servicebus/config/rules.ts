import { z } from "zod";
import type { Rule } from "../broker/rules.ts";
import { parseFilter } from "../sql/parse.ts";

// Names of the official configuration on the left, ours on the right. Label is what SDKs call subject.
const SYSTEM_FIELDS = {
  ContentType: "contentType",
  CorrelationId: "correlationId",
  Label: "subject",
  MessageId: "messageId",
  ReplyTo: "replyTo",
  ReplyToSessionId: "replyToSessionId",
  SessionId: "sessionId",
  To: "to",
} as const;

const text = z.string().optional();

const correlationFilter = z
  .strictObject({
    ContentType: text,
    CorrelationId: text,
    Label: text,
    MessageId: text,
    ReplyTo: text,
    ReplyToSessionId: text,
    SessionId: text,
    To: text,
    Properties: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
      .refine((properties) => Object.keys(properties).length > 0, "names no property")
      .optional(),
  })
  .refine((filter) => Object.keys(filter).length > 0, "a correlation filter names at least one property");

const sqlExpression = z.string().transform((expression, context) => {
  try {
    return parseFilter(expression);
  } catch (error) {
    const message = `the SQL filter ${expression}: ${(error as Error).message}`;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  }
});

const noAction = z.undefined("rule actions are not emulated").optional();

/** A rule of a subscription in the official configuration: its name and one filter. */
export const rule = z.strictObject({
  Name: z.string().regex(/^\$?[A-Za-z0-9](?:[\w.-]{0,47}[A-Za-z0-9_])?$/, "not the name of a rule"),
  Properties: z.discriminatedUnion("FilterType", [
    z.strictObject({
      FilterType: z.literal("Correlation"),
      CorrelationFilter: correlationFilter,
      Action: noAction,
    }),
    z.strictObject({
      FilterType: z.literal("Sql"),
      SqlFilter: z.strictObject({ SqlExpression: sqlExpression }),
      Action: noAction,
    }),
  ]),
});

/** Puts a rule into the broker's terms. */
export function ruleOf({ Properties: properties }: z.infer<typeof rule>): Rule {
  if (properties.FilterType === "Sql") return { matches: "sql", filter: properties.SqlFilter.SqlExpression };
  const { Properties: applicationProperties = {}, ...fields } = properties.CorrelationFilter;
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  const named = given.map(([name, value]) => [SYSTEM_FIELDS[name as keyof typeof SYSTEM_FIELDS], value]);
  return { matches: "correlation", filter: { ...Object.fromEntries(named), applicationProperties } };
}
