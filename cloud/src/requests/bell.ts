/** The doorbell of a request: a message in the same queue as those of runs, with ids only. */
import type { ServiceBusSender } from "@azure/service-bus";
import { parseJson } from "@sallyport/shared/json.ts";
import { nameId, randomId } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import type { RequestBell, RequestDeps } from "./deps.ts";

const bell = z.strictObject({ v: z.literal(1), tenant: nameId, request: randomId });

export const ringRequests =
  (sender: ServiceBusSender): RequestDeps["ring"] =>
  async ({ tenant, request }, atMs) => {
    const message = { body: { v: 1, tenant, request }, contentType: "application/json" };
    if (atMs <= Date.now()) await sender.sendMessages(message);
    else await sender.scheduleMessages(message, new Date(atMs));
  };

/** Undefined for a message of another kind. */
export function readRequestBell(body: unknown): RequestBell | undefined {
  const value = Buffer.isBuffer(body) || typeof body === "string" ? parseJson(body) : body;
  return bell.safeParse(value).data;
}
