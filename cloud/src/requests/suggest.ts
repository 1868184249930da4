/** What would have allowed what an agent's policy denied: the lines that `sallyport policy suggest` prints there. */
import type { ErrorCode, ErrorDetail } from "@sallyport/shared/protocol/errors.ts";
import type { SuggestionView } from "@sallyport/shared/schema/api-requests.ts";
import { deniedOf, neverSuggested, ruleLines } from "@sallyport/shared/schema/suggested-rule.ts";

/** Null for anything but a denial. */
export function suggestionFor(
  failure: { readonly code: ErrorCode | string; readonly detail: ErrorDetail | Readonly<Record<string, unknown>> },
  connection: string,
  operation: Readonly<Record<string, unknown>>,
): SuggestionView | null {
  if (failure.code !== "policy.denied") return null;
  const { rule } = failure.detail;
  const denied = deniedOf(operation, typeof rule === "string" ? rule : undefined);
  const why = neverSuggested(denied) ?? null;
  return { connection, lines: why === null ? ruleLines("suggested-1", [denied]) : [], why };
}
