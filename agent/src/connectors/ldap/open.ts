/** From an address and a login to a directory that is open: looked at, its clock compared, signed in to once. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { connect } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { checkLogin } from "./credential.ts";
import { tookPassword } from "./errors.ts";
import { refuseOverPrivileged } from "./privilege.ts";
import { checkClock, type Directory, type RootDse, readRootDse } from "./root-dse.ts";
import { clearText, type SignIn, signInSimply } from "./sign-in.ts";
import { DEADLINES, type Deadlines, type DirectoryTarget } from "./target.ts";

/** By the policy's word for it. Loaded where a session needs one. */
const SIGN_INS: Readonly<Record<string, () => Promise<SignIn>>> = {
  simple: () => Promise.resolve(signInSimply),
  negotiate: () => import("./sign-in/negotiate.ts").then((module) => module.signInByKerberos),
  ntlm: () => import("./sign-in/ntlm.ts").then((module) => module.signInByNtlm),
};

/**
 * Does `work` with a directory of its own, which is closed afterwards.
 * @throws SallyportError, or what `work` throws; `request.cancelled` for whatever an abort made of it.
 */
export async function withDirectory<T>(
  target: DirectoryTarget,
  work: (directory: Directory) => Promise<T>,
  signal: AbortSignal,
  deadlines: Deadlines = DEADLINES,
): Promise<T> {
  try {
    const directory = await openDirectory(target, deadlines, signal);
    try {
      return await work(directory);
    } finally {
      directory.connection.close();
    }
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    if (signal.aborted) throw new SallyportError("request.cancelled", "The request was cancelled.", {}, error);
    throw error;
  }
}

/** What is wrong with the login or with the way it would go is said before anything is contacted. @throws SallyportError */
export async function openDirectory(
  target: DirectoryTarget,
  deadlines: Deadlines,
  signal: AbortSignal,
): Promise<Directory> {
  const { signIn: word } = target.credential;
  checkLogin(target.credential);
  if (word === "simple" && target.tls.mode === "sealed") throw clearText();
  const load = Object.hasOwn(SIGN_INS, word) ? SIGN_INS[word] : undefined;
  if (load === undefined) throw new SallyportError("directory.unsupported", `This agent cannot sign in by ${word}.`);
  const signIn = await load();
  const connection = await connect(target, deadlines, signal);
  try {
    const root = await readRootDse(connection);
    checkClock(root);
    await signInOnce(signIn, connection, target, root, signal);
    if (target.refuseOverPrivileged) await refuseOverPrivileged({ connection, root });
    connection.waitFor(deadlines.answerMs);
    return { connection, root };
  } catch (error) {
    connection.close();
    signal.throwIfAborted();
    throw error;
  }
}

async function signInOnce(
  signIn: SignIn,
  connection: Connection,
  target: DirectoryTarget,
  root: RootDse,
  signal: AbortSignal,
): Promise<void> {
  try {
    await signIn(connection, target, root, signal);
  } catch (error) {
    if (error instanceof SallyportError && tookPassword(error)) target.onLogin?.("accepted");
    throw error;
  }
  target.onLogin?.("accepted");
}
