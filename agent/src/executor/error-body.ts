/** What an error frame tells the orchestrator: code, a short message, a bounded detail. */
import { type ErrorDetail, isRetryable, type SallyportError } from "@sallyport/shared/protocol/errors.ts";

export function errorBodyOf(error: SallyportError) {
  const { code } = error;
  // Keys, lines and values of the owner's file are nobody's business but the owner's: `sallyport policy check` has them.
  if (code === "policy.invalid") {
    return { code, message: "The agent's policy is not valid.", retryable: isRetryable(code), detail: {} };
  }
  const message = plain(error.message).slice(0, 500);
  return { code, message, retryable: isRetryable(code), detail: clip(error.detail) };
}

const plain = (text: string): string => text.replace(/\p{Cc}/gu, " ");

/** Cuts what an error frame would not carry. */
const clip = (detail: ErrorDetail): ErrorDetail =>
  Object.fromEntries(
    Object.entries(detail)
      .slice(0, 16)
      .map(([name, value]) => {
        if (typeof value === "string") return [name, plain(value).slice(0, 256)];
        return [
          name,
          Array.isArray(value) ? value.slice(0, 16).map((each) => plain(String(each)).slice(0, 256)) : value,
        ];
      }),
  );
