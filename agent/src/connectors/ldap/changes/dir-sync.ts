/** What changed in a naming context since a cookie, by the directory's own record of it: DirSync [MS-ADTS 3.1.1.3.4.1.3]. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { BerWriter, type Filter } from "ldapts";
import { textsOf } from "../attribute-types.ts";
import { readBer, TAG } from "../ber.ts";
import type { Connection } from "../connection.ts";
import { critical } from "../controls.ts";
import type { Result } from "../message.ts";
import { search } from "../query.ts";
import { guidOf } from "../ranges.ts";

export const DIR_SYNC = "1.2.840.113556.1.4.841";

/** Only what the login may see anyway. Without it one right is asked for that shows every secret (Get-Changes-All's kin). */
const OBJECT_SECURITY = 0x1;
/** Of linked values those that changed, not all 5,000 members again. */
const INCREMENTAL_VALUES = 0x80000000;
const FLAGS = OBJECT_SECURITY | INCREMENTAL_VALUES | 0;
/** Bytes of one answer's entries; the directory takes it for advice. */
const MAX_BYTES = 2 ** 20;
const MAX_ROUNDS = 100_000;

export interface Touched {
  readonly dn: string;
  readonly isDeleted: boolean;
  /** Its name changed too: it is new, was renamed, or was moved. */
  readonly isRenamed: boolean;
  /** It was not there when the cookie was given. */
  readonly isNew: boolean;
  /** Where a deleted object stood. A reference: of a parent that was deleted later it says where that is now. */
  readonly lastParent: string | undefined;
}

export interface DirSynced {
  /** By GUID; the last that was told of each. */
  readonly touched: ReadonlyMap<string, Touched>;
  readonly cookie: Buffer;
}

/** Asked for besides what is wanted: enough to tell what happened. Values are not taken from here. */
const OWN = ["name", "whenCreated", "isDeleted", "lastKnownParent", "objectGUID"];

/**
 * @param root of the naming context: another base is refused (code 53)
 * @param cookie empty for the beginning of all time
 * @throws SallyportError, with the result's number: 12 for a cookie that the directory no longer knows
 */
export async function dirSync(
  connection: Connection,
  root: string,
  query: { readonly filter: Filter; readonly attributes: readonly string[]; readonly cookie: Buffer },
): Promise<DirSynced> {
  const touched = new Map<string, Touched>();
  const attributes = [...new Set([...query.attributes, ...OWN])];
  let { cookie } = query;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    let answer: ReturnType<typeof readControl>;
    const controls = [critical(DIR_SYNC, controlValue(cookie))];
    const result = (last: Result): void => {
      answer = readControl(last);
    };
    const one = { base: root, scope: "subtree", filter: query.filter, attributes, controls } as const;
    for await (const entry of search(connection, one, { result })) {
      const guid = guidOf(entry);
      if (guid === undefined) throw new SallyportError("directory.permission", "The login may not see objects' GUIDs.");
      const isDeleted = textsOf(entry, "isDeleted")[0]?.toUpperCase() === "TRUE";
      const before = touched.get(guid);
      const isRenamed = textsOf(entry, "name").length > 0 || before?.isRenamed === true;
      const isNew = textsOf(entry, "whenCreated").length > 0 || before?.isNew === true;
      touched.set(guid, {
        dn: plainDn(entry.dn),
        ...{ isDeleted, isRenamed, isNew },
        lastParent: textsOf(entry, "lastKnownParent").map(plainDn)[0],
      });
    }
    if (answer === undefined) throw unsaid();
    cookie = answer.cookie;
    if (!answer.isMore) return { touched, cookie };
  }
  throw new SallyportError("directory.protocol", "The directory goes on giving changes with no end.");
}

/** Names come with what identifies the object before them: `<GUID=…>;<SID=…>;CN=…`. */
const plainDn = (value: string): string => value.replace(/^(?:<[^>]*>;)+/, "");

function controlValue(cookie: Buffer): Buffer {
  const writer = new BerWriter();
  writer.startSequence();
  writer.writeInt(FLAGS);
  writer.writeInt(MAX_BYTES);
  writer.writeBuffer(cookie, TAG.octets);
  writer.endSequence();
  return writer.buffer;
}

function readControl({ controls }: Result): { readonly isMore: boolean; readonly cookie: Buffer } | undefined {
  const value = controls.get(DIR_SYNC);
  if (value === undefined) return undefined;
  const answer = readBer(value).open(TAG.sequence);
  const isMore = answer.integer() !== 0;
  answer.integer();
  return { isMore, cookie: Buffer.from(answer.take(TAG.octets)) };
}

const unsaid = (): SallyportError =>
  new SallyportError("directory.protocol", "The directory does not say up to where it gave changes.");
