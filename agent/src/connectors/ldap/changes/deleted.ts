/** What was deleted: whether a login is shown it (without the right it is left out, and nobody says so), and where it stood. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { textsOf } from "../attribute-types.ts";
import type { Connection } from "../connection.ts";
import { critical, pagedControl } from "../controls.ts";
import { findOne } from "../query.ts";

/** [MS-ADTS 3.1.1.3.4.1.14] */
const SHOW_DELETED = "1.2.840.113556.1.4.417";
/** By its well-known GUID, which stays when the container is renamed [MS-ADTS 6.1.1.4]. */
const DELETED_OBJECTS = "18e2ea80684f11d2b9aa00c04f79f805";

/**
 * Whether it is shown any deleted object: the container itself proves nothing (measured: Samba shows it to everybody). Where
 * nothing was ever deleted the answer is no, too.
 * @throws SallyportError what is neither "not found" nor "no right"
 */
export async function seesDeletions(connection: Connection, domain: string): Promise<boolean> {
  try {
    const base = `<WKGUID=${DELETED_OBJECTS},${domain}>`;
    const controls = [critical(SHOW_DELETED), pagedControl(1, Buffer.alloc(0))];
    return (await findOne(connection, { base, scope: "one", attributes: ["objectGUID"], controls })) !== undefined;
  } catch (error) {
    if (error instanceof SallyportError && ["directory.not_found", "directory.permission"].includes(error.code)) {
      return false;
    }
    throw error;
  }
}

/** A deleted object's own name [MS-ADTS 3.1.1.5.5.1.2], with its GUID. */
const DELETED = /\\0ADEL:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}),/i;
/** Units in units. */
const MOST_PARENTS = 200;

/** Where a deleted object stood, by its GUID and what was told of its parent; undefined where that cannot be told. */
export type FormerPlaces = (guid: string, lastParent: string | undefined) => Promise<string | undefined>;

/**
 * `lastKnownParent` is a reference: where the parent was deleted as well, after what was in it, it says where the parent lies
 * among the deleted, and the way goes on from there. Each parent is asked for once.
 */
export function formerPlaces(connection: Connection): FormerPlaces {
  const known = new Map<string, string | undefined>();
  const parentOf = async (guid: string): Promise<string | undefined> => {
    if (!known.has(guid)) known.set(guid, await lastKnownParent(connection, guid));
    return known.get(guid);
  };
  return async (guid, lastParent) => {
    let parent = lastParent ?? (await parentOf(guid));
    for (let above = 0; parent !== undefined && above < MOST_PARENTS; above += 1) {
      const deleted = DELETED.exec(parent)?.[1];
      if (deleted === undefined) return parent;
      parent = await parentOf(deleted);
    }
    return undefined;
  };
}

async function lastKnownParent(connection: Connection, guid: string): Promise<string | undefined> {
  try {
    const [base, attributes] = [`<GUID=${guid}>`, ["lastKnownParent"]];
    const found = await findOne(connection, { base, scope: "base", attributes, controls: [critical(SHOW_DELETED)] });
    return textsOf(found, "lastKnownParent")[0];
  } catch (error) {
    if (error instanceof SallyportError && ["directory.not_found", "directory.permission"].includes(error.code)) {
      return undefined;
    }
    throw error;
  }
}
