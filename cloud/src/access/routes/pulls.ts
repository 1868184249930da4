/** Routes of connections, pulls, runs and requests. */
import {
  credentialShape,
  newConnection,
  newCredential,
  newPull,
  newRunBody,
  newRunShape,
  partsView,
  pullView,
  putPullBody,
  runView,
} from "@sallyport/shared/schema/api.ts";
import { connectionTest, newRequest, requestView } from "@sallyport/shared/schema/api-requests.ts";
import {
  cancelAnswer,
  createdConnection,
  listedConnection,
  listedPull,
  putPullAnswer,
  removed,
  storedCredential,
} from "@sallyport/shared/schema/api-views.ts";
import { z } from "zod";
import type { GuardedRoute } from "./route.ts";

const TENANT = "v1/tenants/{tenant}";
const CONNECTIONS = `${TENANT}/connections`;
const PULL = `${TENANT}/pulls/{pull}`;
const RUN = `${TENANT}/runs/{run}`;

export const PULLS = {
  "connections-add": {
    ...{ method: "POST", path: CONNECTIONS, scope: "connections:write", about: "body", status: 200 },
    does: "Makes a connection: the name of a system that the site's policy knows. The same again is no error.",
    body: newConnection,
    answer: createdConnection,
  },
  "connections-list": {
    ...{ method: "GET", path: CONNECTIONS, scope: "connections:write", about: "list", status: 200, list: true },
    does: "A tenant's connections, by id; a credential is never read back.",
    answer: z.array(listedConnection),
  },
  "credentials-put": {
    ...{ method: "PUT", path: `${CONNECTIONS}/{connection}/credential`, scope: "credentials:write" },
    ...{ about: "connection", status: 200 },
    does: "Stores a connection's credential in the secret store, in clear or sealed by the customer.",
    body: newCredential,
    bodyShape: credentialShape,
    answer: storedCredential,
  },
  "connections-test": {
    ...{ method: "POST", path: `${CONNECTIONS}/{connection}/test`, scope: "connections:write" },
    ...{ about: "connection", status: 200 },
    does: "Lets an agent go the whole way to the system, and says at which check it ended.",
    answer: connectionTest,
  },
  "connections-remove": {
    ...{ method: "DELETE", path: `${CONNECTIONS}/{connection}`, scope: "connections:write" },
    ...{ about: "connection", status: 200 },
    does: "Removes a connection that no pull reads from, and its credential from the secret store.",
    answer: removed,
  },
  "pulls-add": {
    ...{ method: "POST", path: `${TENANT}/pulls`, scope: "pulls:write", about: "body", status: 200, tag: true },
    does: "Makes a pull or, with `revision` or If-Match, replaces that revision; the same definition again changes nothing.",
    body: newPull,
    answer: putPullAnswer,
  },
  "pulls-list": {
    ...{ method: "GET", path: `${TENANT}/pulls`, scope: "pulls:read", about: "list", status: 200, list: true },
    does: "A tenant's pulls, by id.",
    answer: z.array(listedPull),
  },
  "pulls-get": {
    ...{ method: "GET", path: PULL, scope: "pulls:read", about: "pull", status: 200, tag: true },
    does: "A pull's definition, and how far it has got.",
    answer: pullView,
  },
  "pulls-put": {
    ...{ method: "PUT", path: PULL, scope: "pulls:write", about: "body", status: 200, tag: true },
    does: "Replaces a pull's definition: If-Match says which revision; without it a new pull is made.",
    body: putPullBody,
    answer: putPullAnswer,
  },
  "pulls-pause": {
    ...{ method: "POST", path: `${PULL}/pause`, scope: "pulls:write", about: "pull", status: 200, tag: true },
    does: "Stops a pull's schedule; what runs goes on.",
    answer: pullView,
  },
  "pulls-resume": {
    ...{ method: "POST", path: `${PULL}/resume`, scope: "pulls:write", about: "pull", status: 200, tag: true },
    does: "Starts a pull's schedule again, from now on.",
    answer: pullView,
  },
  "pulls-reset": {
    ...{ method: "POST", path: `${PULL}/reset`, scope: "pulls:write", about: "pull", status: 200, tag: true },
    does: "Ends the active run; the next one reads everything, and its manifest replaces all before it.",
    answer: pullView,
  },
  "pulls-remove": {
    ...{ method: "DELETE", path: PULL, scope: "pulls:write", about: "pull", status: 200, tag: true },
    does: "Removes a pull without an unfinished run. Its runs and results stay, and can be read as before.",
    answer: removed,
  },
  "runs-start": {
    ...{ method: "POST", path: `${PULL}/runs`, scope: "runs:start", about: "pull", status: 200 },
    does: "Starts a run now, or a backfill.",
    body: newRunBody,
    bodyShape: newRunShape,
    answer: runView,
  },
  "runs-list": {
    ...{ method: "GET", path: `${PULL}/runs`, scope: "runs:read", about: "pull", status: 200, list: true },
    does: "A pull's runs, newest first.",
    answer: z.array(runView),
  },
  "runs-get": {
    ...{ method: "GET", path: RUN, scope: "runs:read", about: "run", status: 200 },
    does: "A run; where the agent denied it, with the lines of policy that would have allowed it.",
    answer: runView,
  },
  "runs-parts": {
    ...{ method: "GET", path: `${RUN}/parts`, scope: "data:read", about: "run", status: 200 },
    does: "A run's manifest and parts, with links that read one file each for 10 minutes.",
    answer: partsView,
  },
  "runs-cancel": {
    ...{ method: "POST", path: `${RUN}/cancel`, scope: "runs:start", about: "run", status: 200 },
    does: "Cancels a run: `cancelled`, `asked` (its holder ends the session within a second) or `ended` (it had before).",
    answer: cancelAnswer,
  },
  "runs-retry": {
    ...{ method: "POST", path: `${RUN}/retry`, scope: "runs:start", about: "run", status: 200 },
    does: "Starts a failed or cancelled run again, as a new one.",
    answer: runView,
  },
  "requests-add": {
    ...{ method: "POST", path: `${TENANT}/requests`, scope: "requests:write", about: "body", status: 200, later: true },
    does: "One operation on a connection. Answers its result, or 202 after 30 seconds and when the agent must be waited for.",
    body: newRequest,
    answer: requestView,
  },
  "requests-get": {
    ...{ method: "GET", path: `${TENANT}/requests/{request}`, scope: "requests:write", about: "request", status: 200 },
    does: "A request and its result, while that is kept.",
    answer: requestView,
  },
} as const satisfies Record<string, GuardedRoute>;
