/**
 * Each agent's own hybrid connection, made and deleted in Azure Resource Manager
 * (https://learn.microsoft.com/rest/api/relay/hybrid-connections).
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";

const API_VERSION = "2024-01-01";
const TIMEOUT_MS = 30_000;

export interface HybridConnections {
  /** Makes the hybrid connection, or leaves it as it is. */
  create(path: string): Promise<void>;
  /** Deletes it; its listener loses its connection at once. */
  remove(path: string): Promise<void>;
}

export interface HybridConnectionDeps {
  /** The namespace's resource address: https://management.azure.com/subscriptions/…/namespaces/NAME */
  readonly resource: string;
  /** A bearer token for Azure Resource Manager. */
  token(): Promise<string>;
}

export const pathOf = (agent: string): string => `a-${agent}`;

/** @throws storage.failed when Azure Resource Manager refuses or does not answer. */
export function createHybridConnections(deps: HybridConnectionDeps): HybridConnections {
  const call = async (method: "PUT" | "DELETE", path: string, body?: unknown) => {
    const address = `${deps.resource}/hybridConnections/${encodeURIComponent(path)}?api-version=${API_VERSION}`;
    const response = await fetch(address, {
      method,
      headers: { authorization: `Bearer ${await deps.token()}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch((cause: unknown) => {
      throw new SallyportError("storage.failed", "Azure Resource Manager did not answer.", { method }, cause);
    });
    await response.body?.cancel();
    if (!response.ok) {
      throw new SallyportError("storage.failed", "Azure Resource Manager refused to change a hybrid connection.", {
        status: response.status,
        method,
      });
    }
  };
  return {
    create: (path) => call("PUT", path, { properties: { requiresClientAuthorization: true } }),
    remove: (path) => call("DELETE", path),
  };
}
