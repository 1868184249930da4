/** What of a login is refused before anything is contacted. */
import { parseDn } from "@sallyport/shared/directory/distinguished-name.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";

const CONTROL = /\p{Cc}/u;
/** A user principal name [MS-ADTS 5.1.1.1.1]; what stands around the `@` is the directory's to judge. */
const PRINCIPAL = /^[^@]{1,256}@[^@]{1,256}$/;
const ACCOUNT = /^[^\\]{1,256}\\[^\\]{1,256}$/;

/**
 * Takes `user@domain`, `DOMAIN\user` and distinguished names. Other forms mean something else to some client or server:
 * without a user or a password a bind succeeds as nobody [RFC 4513 5.1.2], and `EXTERNAL` or `PLAIN` are ways to sign in.
 * @throws SallyportError `directory.login_form`
 */
export function checkLogin({ user, password }: { readonly user: string; readonly password: string }): void {
  if (user === "" || password === "") throw refuse("A login needs a user and a password: without one it is nobody's.");
  if (CONTROL.test(user) || !user.isWellFormed() || !password.isWellFormed() || password.includes("\0")) {
    throw refuse("The login has characters that no login has.");
  }
  if (PRINCIPAL.test(user) || ACCOUNT.test(user) || parseDn(user) !== undefined) return;
  throw refuse("The user is none of user@domain, DOMAIN\\user, or a distinguished name.");
}

const refuse = (message: string): SallyportError => new SallyportError("directory.login_form", message);
