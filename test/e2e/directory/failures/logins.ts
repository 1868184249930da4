/** What is wrong with a login, or with the way that it would go: said before anything is contacted. */
import type { Failure } from "./failure.ts";
import { LOGIN, type Stage } from "./stage.ts";

const row = (name: string, message: string, different: { readonly user?: string; readonly password?: string }) =>
  ({
    ...{ name, message, code: "directory.login_form", ends: "here", wire: "nothing" },
    meet: async (stage: Stage) => stage.open((await stage.directory()).target({ ...LOGIN, ...different })),
  }) satisfies Failure;

const EMPTY = "A login needs a user and a password: without one it is nobody's.";
const LETTERS = "The login has characters that no login has.";
const FORM = "The user is none of user@domain, DOMAIN\\user, or a distinguished name.";

export const LOGINS: readonly Failure[] = [
  row("no user", EMPTY, { user: "" }),
  row("no password, which a directory would take for nobody's, and let in", EMPTY, { password: "" }),
  row("neither", EMPTY, { user: "", password: "" }),
  ...["EXTERNAL", "PLAIN", "DIGEST-MD5", "SCRAM-SHA-1", "GSSAPI"].map((user) =>
    row(`the user \`${user}\`, which names a way to sign in`, FORM, { user }),
  ),
  row("a bare name", FORM, { user: "svc-sync" }),
  row("two `@`", FORM, { user: "a@b@c" }),
  row("half of a distinguished name", FORM, { user: "CN=" }),
  row("a user with a NUL", LETTERS, { user: "svc\0@corp.example" }),
  row("a user with a CR", LETTERS, { user: "svc\r@corp.example" }),
  row("a user with an LF", LETTERS, { user: "CORP\\svc\n" }),
  row("a password with a NUL", LETTERS, { password: "x\0y" }),
  {
    name: "a simple sign-in on the port for clear text",
    code: "directory.clear_text",
    message: "A simple sign-in sends the password as it is, and this connection is not encrypted.",
    ...{ ends: "here", wire: "nothing" },
    meet: async (stage) => stage.open((await stage.directory({}, "ldapPort")).target({ tls: { mode: "sealed" } })),
  },
  ...["magic", "constructor"].map(
    (signIn): Failure => ({
      name: `a way to sign in that there is not, \`${signIn}\``,
      code: "directory.unsupported",
      message: `This agent cannot sign in by ${signIn}.`,
      ...{ ends: "here", wire: "nothing" },
      meet: async (stage) => stage.open((await stage.directory()).target({ credential: { ...LOGIN, signIn } })),
    }),
  ),
];
