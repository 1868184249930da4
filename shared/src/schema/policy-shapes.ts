/** Rules whose own words decide which keys they may have, so that a mistake in one key is reported as that. */
import { z } from "zod";

/** @param shapeOf which schema a rule wants to be held against, or why there is none for it */
export function byShape<Rule>(shapeOf: (rule: object) => z.ZodType<Rule> | string): z.ZodType<Rule> {
  return z.unknown().transform((rule, context): Rule => {
    const refuse = (message: string): never => {
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    };
    if (typeof rule !== "object" || rule === null || Array.isArray(rule)) {
      return refuse("a rule is a list of keys and values");
    }
    const shape = shapeOf(rule);
    if (typeof shape === "string") return refuse(shape);
    const result = shape.safeParse(rule);
    if (result.success) return result.data;
    for (const issue of result.error.issues) {
      if (issue.code !== "unrecognized_keys") {
        context.addIssue({ code: "custom", message: issue.message, path: issue.path });
        continue;
      }
      // Reported at the key itself, so that its line can be found.
      for (const key of issue.keys) {
        context.addIssue({ code: "custom", message: "unknown key", path: [...issue.path, key] });
      }
    }
    return z.NEVER;
  });
}
