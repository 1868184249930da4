/** Routes of releases of the agent: of the whole installation, so for the platform team only. */
import { addedRelease, newRelease, releaseRing, releaseView } from "@sallyport/shared/schema/api-releases.ts";
import { z } from "zod";
import type { GuardedRoute } from "./route.ts";

export const RELEASES = {
  "releases-add": {
    ...{ method: "POST", path: "v1/releases", scope: "releases:write", about: "platform", status: 200, secret: true },
    does: "Stores a release of the agent, offered to nobody yet; answers where its files go.",
    body: newRelease,
    answer: addedRelease,
  },
  "releases-list": {
    ...{ method: "GET", path: "v1/releases", scope: "releases:write", about: "platform", status: 200 },
    does: "All releases of the agent, newest first, with the ring that each has reached.",
    answer: z.array(releaseView),
  },
  "releases-ring": {
    ...{ method: "PUT", path: "v1/releases/{channel}/{version}/ring", scope: "releases:write" },
    ...{ about: "platform", status: 200 },
    does: "Lets a release go to the agents of a ring and those before it, or takes it back.",
    body: releaseRing,
    answer: releaseView,
  },
} as const satisfies Record<string, GuardedRoute>;
