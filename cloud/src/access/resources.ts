/** Where something belongs: a pull to its connection, a connection to its site. Looked up for restricted keys only. */
import { nameId, randomId } from "@sallyport/shared/schema/ids.ts";
import { splitRunId } from "../store/ids.ts";
import type { Store } from "../store/open.ts";
import type { Resource } from "./principal.ts";
import type { About } from "./routes/route.ts";

export interface Places {
  /** What the address names: all of it has to be permitted. */
  of(
    tenant: string,
    about: Exclude<About, "platform" | "tenant" | "body" | "list">,
    name: string,
  ): Promise<readonly Resource[]>;
  /** What is given, with where it belongs. */
  complete(tenant: string, resource: Resource): Promise<Resource>;
}

export function places(store: Pick<Store, "connections" | "runs" | "requests">): Places {
  const complete = async (tenant: string, resource: Resource): Promise<Resource> => {
    const { connection, connectionAt, ...rest } = resource;
    if (connection === undefined || resource.site !== undefined) return resource;
    const now = (await store.connections.get(tenant, connection))?.value;
    // Another has the name by now: who may reach that one is told nothing of the one before.
    if (now !== undefined && connectionAt && now.createdAt !== connectionAt) return rest;
    return { ...rest, connection, site: now?.site };
  };
  const definitionOf = async (tenant: string, pull: string) =>
    (await store.runs.definition({ tenant, pull }))?.value.definition;
  const ofRun = async (tenant: string, name: string): Promise<readonly Resource[]> => {
    const { pull, run } = splitRunId(name);
    const definition = await definitionOf(tenant, pull);
    const source = (await store.runs.run({ tenant, pull }, run))?.value.source;
    // What it has read stays that connection's, also where the pull, or one that got its name, reads from another.
    const all: Resource[] = source ? [{ pull, ...source }] : [];
    if (definition) all.push({ pull, connection: definition.connection });
    return Promise.all((all.length > 0 ? all : [{ pull }]).map((resource) => complete(tenant, resource)));
  };
  return {
    async of(tenant, about, name) {
      // Whatever an address holds, only what can be a name is looked up.
      if (about !== "run" && !(about === "request" ? randomId : nameId).safeParse(name).success) return [{}];
      switch (about) {
        case "site":
          return [{ site: name }];
        case "connection":
          return [await complete(tenant, { connection: name })];
        case "pull":
          return [await complete(tenant, { pull: name, connection: (await definitionOf(tenant, name))?.connection })];
        case "run":
          return ofRun(tenant, name);
        case "request": {
          const request = (await store.requests.get(tenant, name))?.value;
          if (request === undefined) return [{}];
          const { connection, connectionAt } = request;
          return [await complete(tenant, { connection, connectionAt })];
        }
        default:
          return about satisfies never;
      }
    },
    complete,
  };
}
