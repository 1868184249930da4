/** The service's account: one of its own by default, which owns nothing else and cannot sign in. */
import { ConfigError } from "../config-error.ts";
import { must, type Run } from "./command.ts";
import { ACCOUNT, LAYOUT } from "./layout.ts";
import type { Owner } from "./rights.ts";

export interface Account extends Owner {
  readonly name: string;
  readonly group: string;
}

/** Also `svc@corp.example` and `CORP\svc`, as a directory's accounts are called; nothing that a unit or an option is made of. */
const NAME = /^[A-Za-z_][A-Za-z0-9_.@\\-]{0,63}$/;

/** The account with its group, from wherever the system knows accounts; undefined where there is none. @throws ConfigError */
export function findAccount(run: Run, name: string): Account | undefined {
  if (!NAME.test(name)) throw new ConfigError(`${name} is no account's name`);
  if (run("id", ["-u", name])?.code !== 0) return undefined;
  const [uid, gid, group] = ["-u", "-g", "-gn"].map((what) => must(run, "id", [what, name]).trim());
  return { name, uid: Number(uid), gid: Number(gid), group: group ?? name };
}

/** The same, made where it is the usual one and not there. @throws ConfigError for root, or a name that nobody has */
export function ensureAccount(run: Run, name: string): Account {
  const found = findAccount(run, name) ?? (name === ACCOUNT ? makeAccount(run) : undefined);
  if (found === undefined)
    throw new ConfigError(`there is no account ${name}: make it first, or leave it to the default`);
  if (found.uid === 0)
    throw new ConfigError("the agent does not run as root: it could change its own policy and program");
  return found;
}

function makeAccount(run: Run): Account {
  const home = ["--home-dir", LAYOUT.state, "--no-create-home", "--shell", "/usr/sbin/nologin"];
  must(run, "useradd", ["--system", "--user-group", ...home, "--comment", "Sallyport agent", ACCOUNT]);
  const made = findAccount(run, ACCOUNT);
  if (made === undefined) throw new ConfigError(`the account ${ACCOUNT} was made and is not there`);
  return made;
}
