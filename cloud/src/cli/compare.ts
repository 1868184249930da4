/** What a file of pulls would change. Pure. */
import { isDeepStrictEqual } from "node:util";
import type { PullDefinition } from "@sallyport/shared/schema/pull.ts";
import type { Wanted } from "./plan-file.ts";

/** A field of the definition that differs; undefined where it is not given. */
export interface FieldChange {
  readonly field: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** `unlisted`: it is there, and not in the file; it is left alone. */
export interface Difference {
  readonly tenant: string;
  readonly pull: string;
  readonly state: "new" | "changed" | "same" | "unlisted";
  readonly fields: readonly FieldChange[];
  /** What it reads is another: it starts again, and its next results replace all before. */
  readonly anew: boolean;
}

export interface Stored {
  readonly id: string;
  readonly revision: number;
  readonly definition: PullDefinition;
}

/** In the order of the file, then what is not in it. `there`: the pulls of each tenant of the file. */
export function differences(wanted: readonly Wanted[], there: ReadonlyMap<string, readonly Stored[]>): Difference[] {
  const listed = wanted.map(({ tenant, pull, definition }): Difference => {
    const now = there.get(tenant)?.find(({ id }) => id === pull);
    if (now === undefined) return { tenant, pull, state: "new", fields: [], anew: false };
    const fields = fieldsOf("", now.definition, definition);
    const anew = fields.some(({ field }) => ANEW.test(field));
    return { tenant, pull, state: fields.length === 0 ? "same" : "changed", fields, anew };
  });
  const known = new Set(wanted.map(({ tenant, pull }) => `${tenant}/${pull}`));
  const unlisted = [...there].flatMap(([tenant, pulls]) =>
    pulls
      .filter(({ id }) => !known.has(`${tenant}/${id}`))
      .map(({ id }): Difference => ({ tenant, pull: id, state: "unlisted", fields: [], anew: false })),
  );
  return [...listed, ...unlisted];
}

/** Fields that a watermark is a place in; the orchestrator decides, and says `reset` in its answer (cloud/src/pulls/define.ts). */
const ANEW = /^(connection|watermark|watermarkColumn|operation\.(op|table|statement))$/;

function fieldsOf(path: string, from: unknown, to: unknown): FieldChange[] {
  if (isDeepStrictEqual(from, to)) return [];
  if (!isObject(from) || !isObject(to)) return [{ field: path, from, to }];
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])];
  return names.flatMap((name) => fieldsOf(path === "" ? name : `${path}.${name}`, from[name], to[name]));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
