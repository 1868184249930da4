/** Windows' own libraries through the FFI, loaded when a call is first needed; elsewhere there are none. */
import { native } from "../../sign-in/native.ts";

type Library = ReturnType<typeof native.load>;
const loaded = new Map<string, Library>();

/** @throws Error where this is no Windows */
export function library(name: "advapi32" | "kernel32" | "crypt32" | "netapi32"): Library {
  const known = loaded.get(name);
  if (known !== undefined) return known;
  const made = native.load(`${name}.dll`);
  loaded.set(name, made);
  return made;
}

/** A value that is made once, when it is first asked for: types have names that may be given once only. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** What a call of Windows ended with (learn.microsoft.com, "System Error Codes"). */
export class WindowsError extends Error {
  override readonly name = "WindowsError";
  readonly number: number;
  constructor(call: string, number: number) {
    super(`${call} failed with ${number}${WORDS[number] === undefined ? "" : ` (${WORDS[number]})`}`);
    this.number = number;
  }
}

export const ERROR = {
  fileNotFound: 2,
  accessDenied: 5,
  invalidLevel: 124,
  alreadyExists: 183,
  serviceRunning: 1056,
  noSuchService: 1060,
  invalidOwner: 1307,
  noSuchAccount: 1332,
  cannotAccept: 1061,
  notStarted: 1062,
  notInService: 1063,
  serviceSpecific: 1066,
  deletePending: 1072,
  serviceExists: 1073,
} as const;

const WORDS: Readonly<Record<number, string>> = {
  [ERROR.fileNotFound]: "there is no such file",
  [ERROR.accessDenied]: "access denied: this needs an administrator's rights",
  1053: "the service did not answer in time",
  1057: "the account's name is wrong, or its password",
  1069: "the account could not sign in: its password, or its right to be a service's",
  [ERROR.noSuchService]: "there is no such service",
  [ERROR.notInService]: "only the service control manager starts this",
  [ERROR.deletePending]: "it was deleted, and goes once nobody looks at it any more: close the Services window",
  [ERROR.invalidOwner]: "this needs an administrator's rights",
  1326: "the account's name or password is wrong",
  [ERROR.noSuchAccount]: "there is no account of that name",
};

const calls = once(() => ({ lastError: library("kernel32").func("uint32_t __stdcall GetLastError()") }));

/** The error of the call before. */
export const lastError = (): number => calls().lastError();

/** @throws WindowsError where a call answered that it failed */
export function succeed(call: string, answer: number): void {
  if (answer === 0) throw new WindowsError(call, lastError());
}
