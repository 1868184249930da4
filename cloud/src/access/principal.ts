/** Who calls, and what they may do: deny by default. No scope means no access; a restriction only ever takes away. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Restriction, Scope } from "@sallyport/shared/schema/api.ts";

export interface Grant {
  /** null: all tenants, and what is above them. */
  readonly tenant: string | null;
  readonly scopes: ReadonlySet<Scope>;
}

export interface Principal {
  readonly id: string;
  /** As it stands in runs, audit records and agents' journals: `key:{id}` or `app:{object id}`. */
  readonly caller: string;
  readonly grants: readonly Grant[];
  /** null: everything of its tenant. */
  readonly only: Restriction | null;
  readonly expiresAt: string | null;
}

/** What a call is about, as far as it is known. */
export interface Resource {
  readonly site?: string | undefined;
  readonly connection?: string | undefined;
  readonly pull?: string | undefined;
}

/** @throws api.forbidden without the scope for this tenant; `null` is above tenants */
export function authorize(principal: Principal, needed: Scope, tenant: string | null): void {
  const granted = principal.grants.some(
    (grant) => grant.scopes.has(needed) && (grant.tenant === null || grant.tenant === tenant),
  );
  if (granted) return;
  const where = tenant === null ? "" : ` for tenant ${tenant}`;
  throw new SallyportError("api.forbidden", `This needs the scope ${needed}${where}.`, { scope: needed });
}

const LISTS = [
  ["sites", "site"],
  ["connections", "connection"],
  ["pulls", "pull"],
] as const;

/** Whether a restriction lets it through: each of its lists has to name what the call is about. */
export const permits = (only: Restriction | null, resource: Resource): boolean =>
  LISTS.every(([list, of]) => only?.[list] === undefined || only[list].includes(resource[of] ?? ""));

/** @throws api.restricted */
export function requirePermitted({ only }: Principal, resource: Resource): void {
  if (permits(only, resource)) return;
  throw new SallyportError("api.restricted", "This key is restricted to other sites, connections or pulls.", {
    only: LISTS.flatMap(([list]) => (only?.[list] === undefined ? [] : [list])),
  });
}
