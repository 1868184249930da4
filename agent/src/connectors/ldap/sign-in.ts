/** How a session signs in: by the policy's word for it. Each way has a function of this type, called once a session. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { BindRequest } from "ldapts";
import type { Connection } from "./connection.ts";
import { checkLogin } from "./credential.ts";
import { signInError } from "./errors.ts";
import type { RootDse } from "./root-dse.ts";
import type { DirectoryTarget } from "./target.ts";

/**
 * Signs in on a connection that is open and has asked nothing but the root. Calls `target.onLogin("sent")` before the first
 * byte that is made of the password leaves, and returns once the directory has taken it; whoever called tells `accepted`.
 * A way with a security layer puts it over the connection (`connection.protect`) before it returns. It tries once.
 * @throws SallyportError
 */
export type SignIn = (
  connection: Connection,
  target: DirectoryTarget,
  root: RootDse,
  signal: AbortSignal,
) => Promise<void>;

/** User and password as they are [RFC 4511 4.2, RFC 4513 5.1.3], only where nobody can read along. */
export const signInSimply: SignIn = async (connection, target) => {
  const { user, password } = target.credential;
  checkLogin(target.credential);
  if (!connection.isPrivate) throw clearText();
  target.onLogin?.("sent");
  const result = await connection.ask(new BindRequest({ messageId: 0, dn: user, password }));
  if (result.code !== 0) throw signInError(result);
};

export const clearText = (): SallyportError =>
  new SallyportError(
    "directory.clear_text",
    "A simple sign-in sends the password as it is, and this connection is not encrypted.",
  );
