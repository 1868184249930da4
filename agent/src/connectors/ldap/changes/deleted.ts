/** Whether a login sees what was deleted: without the right the directory leaves it out and says nothing. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
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
