/**
 * Each agent's own hybrid connection, made and deleted in Azure Resource Manager
 * (https://learn.microsoft.com/rest/api/relay/hybrid-connections). Both are single calls that answer when it is done, so this is
 * `fetch` and not `@azure/arm-relay` (docs/decisions/0005-resource-manager-by-hand.md).
 */
import { setTimeout as pause } from "node:timers/promises";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";

const API_VERSION = "2024-01-01";
const TIMEOUT_MS = 30_000;
/** Resource Manager limits calls, and has short moments of its own: tried again this often, when it says, within the time above. */
const TRIES = 4;
const AGAIN: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);
const PAUSE_MS = 1_000;

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
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const send = async (): Promise<Response> => {
      const headers = { authorization: `Bearer ${await deps.token()}`, "content-type": "application/json" };
      const content = body === undefined ? {} : { body: JSON.stringify(body) };
      const response = await fetch(address, { method, headers, ...content, signal });
      await response.body?.cancel();
      return response;
    };
    try {
      for (let tried = 1; ; tried++) {
        const { ok, status, headers } = await send();
        // Without its namespace a hybrid connection is gone as well.
        if (ok || (method === "DELETE" && status === 404)) return;
        if (!AGAIN.has(status) || tried === TRIES) throw refused(method, status);
        await pause(waitMs(headers.get("retry-after")) ?? PAUSE_MS * tried, undefined, { signal });
      }
    } catch (thrown) {
      if (thrown instanceof SallyportError) throw thrown;
      throw new SallyportError("storage.failed", "Azure Resource Manager did not answer.", { method }, thrown);
    }
  };
  return {
    create: (path) => call("PUT", path, { properties: { requiresClientAuthorization: true } }),
    remove: (path) => call("DELETE", path),
  };
}

/** `Retry-After` in seconds (RFC 9110 section 10.2.3); Resource Manager sends no dates there. */
const waitMs = (header: string | null): number | undefined =>
  header !== null && /^\d{1,4}$/.test(header) ? Number(header) * 1000 : undefined;

const refused = (method: string, status: number): SallyportError =>
  new SallyportError("storage.failed", "Azure Resource Manager refused to change a hybrid connection.", {
    status,
    method,
  });
