/** Where something belongs: a pull to its connection, a connection to its site. Looked up for restricted keys only. */
import { nameId, randomId } from "@sallyport/shared/schema/ids.ts";
import { splitRunId } from "../store/ids.ts";
import type { Store } from "../store/open.ts";
import type { Resource } from "./principal.ts";
import type { About } from "./routes/route.ts";

export interface Places {
  /** What the address names. */
  of(tenant: string, about: Exclude<About, "platform" | "tenant" | "body" | "list">, name: string): Promise<Resource>;
  /** What is given, with where it belongs. */
  complete(tenant: string, resource: Resource): Promise<Resource>;
}

export function places(store: Pick<Store, "connections" | "runs" | "requests">): Places {
  const ofConnection = async (tenant: string, connection: string): Promise<Resource> => ({
    connection,
    site: (await store.connections.get(tenant, connection))?.value.site,
  });
  const ofPull = async (tenant: string, pull: string): Promise<Resource> => {
    const definition = (await store.runs.definition({ tenant, pull }))?.value.definition;
    return definition === undefined ? { pull } : { pull, ...(await ofConnection(tenant, definition.connection)) };
  };
  return {
    async of(tenant, about, name) {
      // Whatever an address holds, only what can be a name is looked up.
      if (about !== "run" && !(about === "request" ? randomId : nameId).safeParse(name).success) return {};
      switch (about) {
        case "site":
          return { site: name };
        case "connection":
          return ofConnection(tenant, name);
        case "pull":
          return ofPull(tenant, name);
        case "run":
          return ofPull(tenant, splitRunId(name).pull);
        case "request": {
          const request = (await store.requests.get(tenant, name))?.value;
          return request === undefined ? {} : ofConnection(tenant, request.connection);
        }
        default:
          return about satisfies never;
      }
    },
    async complete(tenant, resource) {
      if (resource.connection === undefined || resource.site !== undefined) return resource;
      return { ...resource, ...(await ofConnection(tenant, resource.connection)) };
    },
  };
}
