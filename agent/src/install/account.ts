/** The service's account: one of its own by default, which owns nothing else and cannot sign in. */
import { ConfigError } from "../config-error.ts";
import { readTextIfAny } from "../state.ts";
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
  const asked = run("id", ["-u", name]);
  if (asked === undefined) return listedAccount(name);
  if (asked.code !== 0) return undefined;
  const [uid, gid, group] = ["-u", "-g", "-gn"].map((what) => must(run, "id", [what, name]).trim());
  return { name, uid: Number(uid), gid: Number(gid), group: group ?? name };
}

/** By the lists themselves (passwd(5), group(5)): an image has no program that would look there. */
function listedAccount(name: string): Account | undefined {
  const fields = (file: string, fits: (fields: string[]) => boolean): string[] | undefined =>
    (readTextIfAny(file) ?? "")
      .split("\n")
      .map((line) => line.split(":"))
      .find(fits);
  const listed = fields("/etc/passwd", ([first]) => first === name);
  if (listed === undefined) return undefined;
  const [uid, gid] = [Number(listed[2]), Number(listed[3])];
  return { name, uid, gid, group: fields("/etc/group", ([, , id]) => id === listed[3])?.[0] ?? name };
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
