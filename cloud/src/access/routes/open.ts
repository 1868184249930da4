/** Routes that ask for no key: agents sign what they send, health and the API's description are public. */
import { offeredReleases } from "@sallyport/shared/release/manifest.ts";
import { enrolRequest, sealedAnswer, tokenAnswer, tokenBody } from "@sallyport/shared/schema/api.ts";
import { healthView } from "@sallyport/shared/schema/health.ts";
import { agentHealth } from "@sallyport/shared/schema/liveness.ts";
import { z } from "zod";
import type { OpenRoute } from "./route.ts";

export const OPEN = {
  "agent-enrol": {
    ...{ method: "POST", path: "agent/enrol", scope: null, status: 200 },
    does: "Enrols an agent by a code that is never sent (docs/protocol.md).",
    body: enrolRequest,
    answer: sealedAnswer,
  },
  "agent-token": {
    ...{ method: "POST", path: "agent/token", scope: null, status: 200 },
    does: "Gives an agent its listen token; the agent signs the call with its identity key.",
    body: tokenBody,
    answer: tokenAnswer,
  },
  "agent-health": {
    ...{ method: "GET", path: "agent/health", scope: null, status: 200 },
    does: "Tells an agent which canary was sent to it last; the agent signs the call.",
    answer: agentHealth,
  },
  "agent-releases": {
    ...{ method: "GET", path: "agent/releases/{channel}/{ring}", scope: null, status: 200 },
    does: "Tells an agent which releases have reached its ring, each with a signed statement; the agent signs the call.",
    answer: offeredReleases,
  },
  "agent-release-file": {
    ...{ method: "GET", path: "agent/releases/{version}/files/{file}", scope: null, status: 200 },
    does: "A piece of a release's file, by Range, as 206; the agent signs the call.",
    answer: z.string(),
  },
  health: {
    ...{ method: "GET", path: "health", scope: null, status: 200 },
    does: "Whether the orchestrator works, and the codes of what is wrong. Answered with 503 where no pull can run.",
    answer: healthView,
  },
  openapi: {
    ...{ method: "GET", path: "v1/openapi.json", scope: null, status: 200 },
    does: "This description.",
    answer: z.looseObject({ openapi: z.string() }),
  },
} as const satisfies Record<string, OpenRoute>;
