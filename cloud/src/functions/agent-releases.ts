import type { HttpRequest } from "@azure/functions";
import { repliedBytes } from "../access/guard.ts";
import { authenticateAgent } from "../agents/tokens.ts";
import { orchestrator } from "../compose.ts";
import { serveOpen } from "../serve.ts";
import { offerReleases, readPiece, readWords } from "../updates/offer.ts";

/** The path is signed as it was sent. @throws token.*, agent.* */
async function authenticated(request: HttpRequest) {
  const { tokens, releases } = await orchestrator();
  const authorization = request.headers.get("authorization");
  const path = new URL(request.url).pathname;
  await authenticateAgent(tokens, { authorization, method: "GET", path, body: Buffer.alloc(0) });
  return releases;
}

serveOpen("agent-releases", async (request) => {
  const releases = await authenticated(request);
  const { channel, ring } = readWords(request.params);
  return offerReleases(releases, channel, ring);
});

serveOpen("agent-release-file", async (request) => {
  const releases = await authenticated(request);
  const { version = "", file = "" } = request.params;
  const { bytes, range } = await readPiece(releases, { version, name: file }, request.headers.get("range"));
  return repliedBytes(bytes, { "content-range": range, "content-type": "application/gzip" });
});
