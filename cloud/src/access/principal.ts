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
  /** When that connection was made, where it has to be this one and no other that got its name. */
  readonly connectionAt?: string | null | undefined;
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
  throw restricted(only, "This key is restricted to other sites, connections or pulls.");
}

/**
 * Before a pull gets a connection, its first or another one. A key for some pulls and all connections would reach all of
 * its tenant's systems through the one pull. @throws api.restricted
 */
export function requireConnections({ only }: Principal): void {
  if (only?.pulls === undefined || only.connections !== undefined || only.sites !== undefined) return;
  throw restricted(only, "This key names pulls alone: it chooses no connection for them.");
}

const restricted = (only: Restriction | null, message: string) =>
  new SallyportError("api.restricted", message, {
    only: LISTS.flatMap(([list]) => (only?.[list] === undefined ? [] : [list])),
  });
