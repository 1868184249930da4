import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describeError, writeLog } from "../log.ts";
import { type Identity, makeAccessToken } from "./token.ts";

/**
 * App Service's managed identity endpoint. Source: "Managed identities for App Service and Azure Functions", REST
 * endpoint reference. It is plain HTTP there as well: it never leaves the machine, and the header is its secret.
 */
export type IdentityEndpoint = {
  /** What the app gets in its environment. */
  readonly settings: { IDENTITY_ENDPOINT: string; IDENTITY_HEADER: string };
  close(): Promise<void>;
};

type Reply = { status: number; body: Record<string, string | number> };

const API_VERSION = "2019-08-01";

/** Opens the endpoint on 127.0.0.1, on a free port, with a fresh secret. */
export async function openIdentityEndpoint(identity: Identity): Promise<IdentityEndpoint> {
  const secret = randomUUID();
  const server = createServer((request, response) => {
    const header = request.headers["x-identity-header"];
    void answerTokenRequest(new URL(request.url ?? "/", "http://localhost"), header, { identity, secret })
      .catch((error: unknown): Reply => {
        writeLog("error", "Host.Identity", describeError(error));
        return refusal(500, "the token could not be made");
      })
      .then(({ status, body }) => {
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
      });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    settings: { IDENTITY_ENDPOINT: `http://127.0.0.1:${port}/msi/token`, IDENTITY_HEADER: secret },
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Answers one request for a token. Rejects only when the identity's key cannot sign. */
export async function answerTokenRequest(
  url: URL,
  header: string | string[] | undefined,
  { identity, secret }: { identity: Identity; secret: string },
): Promise<Reply> {
  if (typeof header !== "string" || !isSame(header, secret))
    return refusal(401, "X-IDENTITY-HEADER is missing or wrong");
  if (url.pathname !== "/msi/token") return refusal(404, "not found");
  const query = url.searchParams;
  if (query.get("api-version") !== API_VERSION) return refusal(400, `api-version must be ${API_VERSION}`);
  const resource = query.get("resource");
  if (!resource) return refusal(400, "resource is missing");
  if (!names(identity, query)) {
    return refusal(
      400,
      "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
    );
  }
  const { token, expiresOnSeconds } = await makeAccessToken(identity, resource, Math.floor(Date.now() / 1000));
  return {
    status: 200,
    body: {
      access_token: token,
      expires_on: String(expiresOnSeconds),
      resource,
      token_type: "Bearer",
      client_id: identity.clientId,
    },
  };
}

/** Whether the query names this identity, or none. */
function names(identity: Identity, query: URLSearchParams): boolean {
  const clientId = query.get("client_id");
  const principalId = query.get("principal_id") ?? query.get("object_id");
  if (query.has("mi_res_id")) return false;
  return (
    (clientId ?? identity.clientId) === identity.clientId &&
    (principalId ?? identity.principalId) === identity.principalId
  );
}

function refusal(statusCode: number, message: string): Reply {
  return { status: statusCode, body: { statusCode, message } };
}

function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
