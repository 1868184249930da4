/**
 * One agent at a time on a folder: two would write two journals into one. The lock is SQLite's on an empty file (`BEGIN EXCLUSIVE`,
 * https://sqlite.org/lockingv3.html), because Node has no other that the system gives back however a process ends: neither the clock
 * nor process ids count, which are the same each time in a container, and two containers with one volume are told apart, too.
 */
import { DatabaseSync } from "node:sqlite";
import { ConfigError, NotNowError } from "../config-error.ts";
import type { StatePaths } from "../state.ts";

/** SQLite's result codes (https://sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;
const SQLITE_NOTADB = 26;

/**
 * Takes the folder for this process until the function that is answered is called, or the process ends.
 * @throws NotNowError while another process has it, or the disk gives no lock; ConfigError where something else is in its place
 */
export function holdState({ root, hold }: Pick<StatePaths, "root" | "hold">): () => void {
  let file: DatabaseSync | undefined;
  // It makes files that everybody may read.
  const mask = process.umask(0o077);
  try {
    file = new DatabaseSync(hold);
    // Nothing is ever written: without this a file of SQLite's would lie beside it, for which a full disk has no room.
    file.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    file?.close();
    const { errcode, message } = error as Error & { readonly errcode?: number };
    if (errcode === SQLITE_BUSY) throw new NotNowError(`an agent is already running on ${root}`);
    if (errcode === SQLITE_NOTADB) throw new ConfigError(`${hold} is not the agent's: remove it`);
    throw new NotNowError(`${hold} cannot be locked: ${message}`);
  } finally {
    process.umask(mask);
  }
  const held = file;
  return () => {
    if (held.isOpen) held.close();
  };
}
