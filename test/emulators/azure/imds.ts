/**
 * The metadata service's token endpoint, as a virtual machine or a container sees it at 169.254.169.254; plain HTTP there as well.
 * Source: https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Identity, makeAccessToken } from "../functions-host/identity/token.ts";

export interface Imds {
  /** What a client's `AZURE_POD_IDENTITY_AUTHORITY_HOST` is set to. */
  readonly url: string;
  close(): Promise<void>;
}

interface Reply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export async function startImds(identity: Identity): Promise<Imds> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    void answerImds(url, request.headers.metadata, identity).then(({ status, body }) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** One request for a token. Without the header `Metadata: true` it came through something that forwards, and gets none. */
export async function answerImds(url: URL, metadata: unknown, identity: Identity): Promise<Reply> {
  const query = url.searchParams;
  const refuse = (status: number, error: string, description: string): Reply => ({
    status,
    body: { error, error_description: description },
  });
  // The client library ends the path with a slash.
  if (url.pathname.replace(/\/$/, "") !== "/metadata/identity/oauth2/token")
    return refuse(404, "not_found", "There is no such endpoint.");
  if (metadata !== "true") return refuse(400, "bad_request_102", "Required metadata header not specified");
  if (query.get("api-version") === null) return refuse(400, "bad_request", "The api-version is missing.");
  const resource = query.get("resource");
  if (!resource) return refuse(400, "invalid_resource", "AADSTS50001: The resource is missing.");
  if ((query.get("client_id") ?? identity.clientId) !== identity.clientId)
    return refuse(400, "invalid_request", "Identity not found");
  const { token, expiresOnSeconds } = await makeAccessToken(identity, resource, Math.floor(Date.now() / 1000));
  return {
    status: 200,
    body: {
      access_token: token,
      client_id: identity.clientId,
      expires_in: String(expiresOnSeconds - Math.floor(Date.now() / 1000)),
      expires_on: String(expiresOnSeconds),
      resource,
      token_type: "Bearer",
    },
  };
}
