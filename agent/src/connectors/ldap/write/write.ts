/** `ad.write`: one change of one object (docs/connectors/active-directory.md, "Writing"). */
import { firstText, parentText } from "@sallyport/shared/directory/distinguished-name.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { AdWrite } from "@sallyport/shared/schema/directory-operations.ts";
import { isWithin } from "../../../place.ts";
import type { Outcome } from "../../connector.ts";
import { textsOf } from "../attribute-types.ts";
import type { Request } from "../connection.ts";
import { heldAt } from "../denials.ts";
import type { Entry } from "../message.ts";
import { findOne } from "../query.ts";
import { guidOf, isInPieces, readWhole } from "../ranges.ts";
import type { Directory } from "../root-dse.ts";
import { isOfClass } from "../rows.ts";
import type { Reading } from "../search.ts";
import { GUARDED, refuseProtected } from "./guard.ts";
import { adding, changing, deleting, joining, moving, type Planned, setting } from "./plans.ts";
import { change } from "./request.ts";
import { lackingOf, RIGHTS } from "./rights.ts";
import type { WriteGrant } from "./values.ts";

/** @throws SallyportError */
export async function writeObject(reading: Reading, operation: AdWrite, grant: WriteGrant): Promise<Outcome> {
  const { directory, output } = reading;
  const planned = await planOf(directory, operation, grant);
  const isChange = planned.requests.length > 0;
  const told = { action: operation.action, changed: isChange && !operation.dryRun, wouldChange: isChange };
  if (operation.dryRun || !isChange) {
    const lacking = operation.dryRun ? await lackingOf(directory, planned.needs) : {};
    await output.result({ ...told, guid: planned.guid ?? null, ...lacking });
    return { complete: true };
  }
  reading.signal.throwIfAborted();
  const sets = "password" in operation && operation.password !== undefined ? "password" : "other";
  const right = RIGHTS[operation.action];
  for (const request of planned.requests) await change(directory.connection, request, { sets, right });
  const guid = planned.guid ?? guidOf((await at(directory, operation.object)) ?? NOTHING);
  await answer(() => output.result({ ...told, guid: guid ?? null }));
  return { complete: true, committed: true };
}

const NOTHING: Entry = { dn: "", attributes: [] };

/** The change is made: that its answer cannot be sent must not read as if it were not. */
async function answer(send: () => Promise<void>): Promise<void> {
  try {
    await send();
  } catch (error) {
    throw new SallyportError(
      "write.outcome_unknown",
      "The change was made, but its answer could not be sent.",
      {},
      error,
    );
  }
}

async function planOf(directory: Directory, operation: AdWrite, grant: WriteGrant): Promise<Planned> {
  const wanted = operation.action === "modify" ? operation.changes.map(({ attribute }) => attribute) : [];
  const more = operation.action === "members" ? ["member"] : [];
  const object = await theObject(directory, operation, grant, [...wanted, ...more]);
  if (operation.action === "add") return addingUnder(directory, operation, grant, object);
  if (object === undefined) {
    if (operation.action === "delete" && operation.guid !== undefined) {
      return { requests: [], guid: operation.guid, needs: {} };
    }
    throw new SallyportError("directory.not_found", "The object is not there, or hidden.");
  }
  const held = heldAt(grant, [object.dn], object.dn);
  await refuseProtected(directory, object);
  const guid = guidOf(object);
  switch (operation.action) {
    case "modify":
      return {
        ...{ requests: await changing(directory, object, operation, held), guid },
        needs: { attributes: { of: object.dn, names: wanted } },
      };
    case "members":
      return {
        ...{ requests: await joining(directory, object, operation, held), guid },
        needs: { attributes: { of: object.dn, names: more } },
      };
    case "rename":
      heldAt(grant, [[operation.name, parentText(object.dn) ?? []].flat().join(",")]);
      return { requests: moving(object, operation.name, undefined), guid, needs: {} };
    case "move": {
      const destination = await within(directory, operation.destination, grant.destinations);
      heldAt(grant, [destination.dn, `${firstText(object.dn)},${destination.dn}`]);
      return {
        ...{ requests: moving(object, undefined, destination.dn), guid },
        needs: { class: { under: destination.dn, name: operation.class } },
      };
    }
    case "delete":
      return { requests: deleting(object), guid, needs: {} };
    case "setPassword":
      return { requests: [privately(directory, setting(object, operation.password))], guid, needs: {} };
    default:
      return operation satisfies never;
  }
}

async function addingUnder(
  directory: Directory,
  operation: Extract<AdWrite, { action: "add" }>,
  grant: WriteGrant,
  there: Entry | undefined,
): Promise<Planned> {
  const parent = await within(directory, parentText(operation.object) ?? "", grant.destinations);
  if (there !== undefined && !isOfClass(there, new Set([operation.class.toLowerCase()]))) {
    throw new SallyportError("directory.exists", "There is another object of that name.");
  }
  const dn = `${firstText(operation.object)},${parent.dn}`;
  const places = there === undefined ? [dn] : [dn, there.dn];
  const request = await adding(directory, dn, operation, heldAt(grant, places, dn));
  if (operation.password !== undefined) privately(directory, request);
  // Of the same name and class it was added before; whatever else it holds is `modify`'s.
  return there === undefined
    ? { requests: [request], guid: undefined, needs: { class: { under: parent.dn, name: operation.class } } }
    : { requests: [], guid: guidOf(there), needs: {} };
}

/** A password crosses the wire as it is. */
function privately({ connection }: Directory, request: Request): Request {
  if (connection.isPrivate) return request;
  throw new SallyportError("directory.clear_text", "A password is only set where nobody can read along.");
}

/** The object by its GUID where that is given, else by its name; where the rule and the request say it is. */
async function theObject(
  directory: Directory,
  operation: AdWrite,
  { bases, destinations }: WriteGrant,
  more: readonly string[],
): Promise<Entry | undefined> {
  const base =
    operation.guid === undefined || operation.action === "add" ? operation.object : `<GUID=${operation.guid}>`;
  const object = await at(directory, base, [...GUARDED, ...more]);
  if (object === undefined || operation.action === "add") return object;
  if (!isOfClass(object, new Set([operation.class.toLowerCase()]))) {
    throw new SallyportError("policy.denied", "The object is not of the class that the request names.");
  }
  // A move or rename that is repeated finds it where it was to go.
  const places = operation.action === "move" && operation.guid !== undefined ? [...bases, ...destinations] : bases;
  if (places.some((place) => isWithin(object.dn, place))) return object;
  throw new SallyportError("policy.denied", "The object stands outside of what the rule lists.");
}

async function within(directory: Directory, dn: string, places: readonly string[]): Promise<Entry> {
  const object = await at(directory, dn);
  if (object === undefined) throw new SallyportError("directory.not_found", "The destination is not there, or hidden.");
  if (places.some((place) => isWithin(object.dn, place))) return object;
  throw new SallyportError(
    "policy.denied",
    "The directory has the destination under a name that the rule does not list.",
  );
}

async function at({ connection }: Directory, base: string, more: readonly string[] = []): Promise<Entry | undefined> {
  try {
    const found = await findOne(connection, {
      ...{ base, scope: "base" },
      attributes: ["objectGUID", "objectClass", ...more],
    });
    if (found === undefined || textsOf(found, "objectClass").length === 0) return undefined;
    // The members of a large group.
    if (!isInPieces(found)) return found;
    const guid = guidOf(found);
    if (guid === undefined) throw new SallyportError("directory.permission", "The login may not see an object's GUID.");
    return await readWhole(connection, guid, ["objectGUID", "objectClass", ...more]);
  } catch (error) {
    if (error instanceof SallyportError && error.code === "directory.not_found") return undefined;
    throw error;
  }
}
