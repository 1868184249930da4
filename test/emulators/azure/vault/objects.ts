/** What secrets and keys share: names with versions, soft delete, recovery. Holds no sockets. */
import { randomBytes } from "node:crypto";
import { refusal } from "../errors.ts";

export interface Version<T> {
  readonly version: string;
  readonly createdSeconds: number;
  enabled: boolean;
  readonly value: T;
}

export interface Named<T> {
  /** Oldest first; never empty. */
  readonly versions: Version<T>[];
  readonly deletedSeconds?: number;
}

export interface Objects<T> {
  add(name: string, value: T): Version<T>;
  /** The newest version, or exactly this one. */
  find(name: string, version: string | undefined): Version<T>;
  versions(name: string): readonly Version<T>[];
  names(): readonly string[];
  remove(name: string): Named<T>;
  deleted(name: string): Named<T>;
  recover(name: string): Version<T>;
  purge(name: string): void;
}

const NAME = /^[0-9a-zA-Z-]{1,127}$/;

/** @param kind as messages and codes have it: `Secret` or `Key` */
export function objectsOf<T>(kind: "Secret" | "Key", nowSeconds: () => number, purgeProtection: boolean): Objects<T> {
  const live = new Map<string, Named<T>>();
  const gone = new Map<string, Named<T>>();
  const notFound = (name: string, where = "") =>
    refusal(
      404,
      `${kind}NotFound`,
      `A ${where}${kind.toLowerCase()} with (name/id) ${name} was not found in this key vault.`,
    );
  const required = (map: Map<string, Named<T>>, name: string, where?: string): Named<T> => {
    const found = map.get(name);
    if (found === undefined) throw notFound(name, where);
    return found;
  };
  return {
    add(name, value) {
      if (!NAME.test(name)) throw refusal(400, "BadParameter", `The name ${name} does not fit ${NAME.source}.`);
      if (gone.has(name))
        throw refusal(
          409,
          "Conflict",
          `${kind} ${name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the ${kind.toLowerCase()} can only be recovered or purged.`,
          "ObjectIsDeletedButRecoverable",
        );
      const version = randomBytes(16).toString("hex");
      const made: Version<T> = { version, createdSeconds: nowSeconds(), enabled: true, value };
      const known = live.get(name);
      if (known === undefined) live.set(name, { versions: [made] });
      else known.versions.push(made);
      return made;
    },
    find(name, version) {
      const { versions } = required(live, name);
      const found = version === undefined ? versions.at(-1) : versions.find((one) => one.version === version);
      if (found === undefined) throw notFound(`${name}/${version}`);
      return found;
    },
    versions: (name) => required(live, name).versions,
    names: () => [...live.keys()],
    remove(name) {
      const deleted = { ...required(live, name), deletedSeconds: nowSeconds() };
      live.delete(name);
      gone.set(name, deleted);
      return deleted;
    },
    deleted: (name) => required(gone, name, "deleted "),
    recover(name) {
      const { versions } = required(gone, name, "deleted ");
      gone.delete(name);
      live.set(name, { versions });
      return versions.at(-1)!;
    },
    purge(name) {
      required(gone, name, "deleted ");
      if (purgeProtection)
        throw refusal(
          403,
          "Forbidden",
          `Operation "purge" is not allowed because purge protection is enabled for this vault.`,
        );
      gone.delete(name);
    },
  };
}

/** What must hold before a version may be used. */
export function requireEnabled(kind: "Secret" | "Key", operation: string, { enabled }: Version<unknown>): void {
  if (!enabled)
    throw refusal(
      403,
      "Forbidden",
      `Operation ${operation} is not allowed on a disabled ${kind.toLowerCase()}.`,
      `${kind}Disabled`,
    );
}
