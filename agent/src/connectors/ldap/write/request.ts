/** A change on its way: one request, one answer, and what the answer means. */
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Connection, Request } from "../connection.ts";
import { answerError, detailOf, subCodeOf } from "../errors.ts";
import type { Result } from "../message.ts";

const REFUSALS: Readonly<Record<number, readonly [code: ErrorCode, message: string]>> = {
  16: ["directory.value_invalid", "An attribute has no such value."],
  17: ["directory.value_invalid", "The object's class has no such attribute."],
  19: ["directory.value_invalid", "The directory does not take a value."],
  20: ["directory.value_invalid", "An attribute has that value already."],
  21: ["directory.value_invalid", "The directory does not take a value."],
  65: ["directory.value_invalid", "The object would not be one of its class."],
  66: ["directory.not_empty", "The object has others below it."],
  67: ["directory.value_invalid", "The object's name is changed by a rename only."],
  68: ["directory.exists", "There is another object of that name, or with that account name."],
};
/** [RFC 4511 A.2] */
const NO_RIGHT = 50;
/** ERROR_PASSWORD_RESTRICTION, as Windows prints it before its text [MS-ERREF 2.2]. */
const PASSWORD_RESTRICTION = "52d";

export interface ChangeFacts {
  readonly sets: "password" | "other";
  /** What the directory calls the right that it asks for. */
  readonly right: string;
}

/**
 * Sends one change. Once it has left, an end without an answer leaves open whether it was made.
 * @throws SallyportError `directory.*`, `write.outcome_unknown`
 */
export async function change(connection: Connection, request: Request, facts: ChangeFacts): Promise<void> {
  let result: Result;
  try {
    result = await connection.ask(request);
  } catch (error) {
    throw new SallyportError("write.outcome_unknown", "The directory's answer to the change did not come.", {}, error);
  }
  if (result.code !== 0) throw refusalOf(result, facts);
}

function refusalOf(result: Result, { sets, right }: ChangeFacts): SallyportError {
  const isPassword = subCodeOf(result) === PASSWORD_RESTRICTION || (sets === "password" && result.code === 19);
  if (isPassword) {
    const message = "The password is too short, too simple, too young or was used before, says the domain.";
    return new SallyportError("directory.password_policy", message, detailOf(result));
  }
  if (result.code === NO_RIGHT) {
    const detail = { ...detailOf(result), right };
    return new SallyportError("directory.permission", `The login lacks a right in the directory: ${right}.`, detail);
  }
  const row = REFUSALS[result.code];
  return row === undefined ? answerError(result) : new SallyportError(...row, detailOf(result));
}
