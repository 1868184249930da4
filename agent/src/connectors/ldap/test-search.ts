/** Searches of the test directory, as a session would ask for them, into an output that keeps what it is given. */
import type { JsonValue } from "@sallyport/shared/rows/to-json.ts";
import { adSearch } from "@sallyport/shared/schema/directory-operations.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import type { Ldap, Values } from "../../../../test/emulators/ldap/start.ts";
import { NEVER_READ_ARCS, NEVER_READ_OIDS } from "../../policy/directory/never.ts";
import type { DirectoryGrant } from "../directory-grant.ts";
import { createRecorder, type Recorder, type RecorderOptions } from "../mssql/test-output.ts";
import { ldapConnector } from "./index.ts";
import type { DirectoryTarget } from "./target.ts";
import { STAFF } from "./test-directory.ts";

export const never = new AbortController().signal;
type ReadGrant = Extract<DirectoryGrant, { kind: "directoryRead" }>;

export const GRANT: ReadGrant = {
  ...{ kind: "directoryRead", rule: "staff", bases: [STAFF], classes: "*", attributes: "*", denied: [], denials: [] },
  neverRead: { oids: NEVER_READ_OIDS, arcs: NEVER_READ_ARCS },
};

interface Asked {
  readonly base?: string;
  readonly scope?: string;
  readonly classes?: readonly string[];
  readonly attributes?: "*" | readonly string[];
  readonly filter?: unknown;
  readonly timestamps?: "text";
}

export async function run(
  target: DirectoryTarget,
  asked: Asked,
  grant: Partial<ReadGrant> = {},
  options: RecorderOptions = {},
) {
  const recorder = createRecorder(options);
  const wish = { op: "ad.search", base: STAFF, classes: ["user"], attributes: ["sAMAccountName"], ...asked };
  const operation = adSearch.parse(wish);
  const outcome = await ldapConnector(target, operation, { ...GRANT, ...grant }, DEFAULT_LIMITS, recorder, never);
  return { recorder, outcome, warnings: outcome.warnings ?? [] };
}

/** The first column of every row, in order of its text. */
export const firsts = ({ rows }: Recorder): JsonValue[] => rows.map(([value]) => value ?? null).sort();

export function addUsers(ldap: Ldap, count: number, values: (index: number) => Values = () => ({})): void {
  for (let index = 0; index < count; index += 1) {
    const name = `user${String(index).padStart(5, "0")}`;
    ldap.store.add(`CN=${name},${STAFF}`, "user", { sAMAccountName: name, ...values(index) });
  }
}
