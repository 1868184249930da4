import { enrolRequest } from "@sallyport/shared/schema/api.ts";
import { readBody } from "../access/body.ts";
import { enrol } from "../agents/enrolment.ts";
import { orchestrator } from "../compose.ts";
import { serveOpen } from "../serve.ts";

serveOpen("agent-enrol", async (request) => {
  const { enrolment, tries } = await orchestrator();
  const body = await readBody(request, enrolRequest);
  return tries.limit([body.codeId, callerAddress(request.headers)], () => enrol(enrolment, body));
});

/**
 * The address that the platform's front end saw, which it appends as `ip:port`; what comes before it is the caller's own
 * word. Only used to slow down guessing.
 */
const callerAddress = (headers: { get(name: string): string | null }): string =>
  headers.get("x-forwarded-for")?.split(",").at(-1)?.trim().replace(/:\d+$/, "") ?? "";
