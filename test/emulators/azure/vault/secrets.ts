/** Secrets of a vault. Source: https://learn.microsoft.com/rest/api/keyvault/secrets */
import { z } from "zod";
import { type Answer, refusal } from "../errors.ts";
import { type Objects, requireEnabled, type Version } from "./objects.ts";
import type { VaultCall } from "./route.ts";

export interface Secret {
  readonly value: string;
  readonly contentType: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

/** Key Vault's limit on a value. */
const MAX_VALUE_BYTES = 25_600;

const setBody = z.object({
  value: z.string(),
  contentType: z.string().max(255).optional(),
  tags: z.record(z.string(), z.string()).default({}),
  attributes: z.object({ enabled: z.boolean().optional() }).default({}),
});
const updateBody = z.object({ attributes: z.object({ enabled: z.boolean().optional() }).default({}) });

export function answerSecrets(secrets: Objects<Secret>, { method, parts, body, base, allow }: VaultCall): Answer {
  const [name = "", version, ...more] = parts;
  if (name === "" || more.length > 0) throw refusal(404, "NotFound", "There is no such operation.");
  const bundle = (one: Version<Secret>, withValue: boolean) => ({
    id: `${base}/secrets/${name}/${one.version}`,
    ...(withValue ? { value: one.value.value } : {}),
    ...(one.value.contentType === undefined ? {} : { contentType: one.value.contentType }),
    attributes: attributesOf(one),
    tags: one.value.tags,
  });
  switch (`${method} ${version === "versions" ? "versions" : version === undefined ? "name" : "version"}`) {
    case "PUT name": {
      allow("secrets/setSecret/action");
      const given = setBody.safeParse(body);
      if (!given.success) throw refusal(400, "BadParameter", z.prettifyError(given.error));
      const { value, contentType, tags, attributes } = given.data;
      if (Buffer.byteLength(value) > MAX_VALUE_BYTES)
        throw refusal(400, "BadParameter", `The value of the secret has more than ${MAX_VALUE_BYTES} bytes.`);
      const added = secrets.add(name, { value, contentType, tags });
      added.enabled = attributes.enabled ?? true;
      return { status: 200, body: bundle(added, true) };
    }
    case "GET name":
    case "GET version": {
      allow("secrets/getSecret/action");
      const found = secrets.find(name, version);
      requireEnabled("Secret", "get", found);
      return { status: 200, body: bundle(found, true) };
    }
    case "GET versions":
      allow("secrets/readMetadata/action");
      return { status: 200, body: { value: secrets.versions(name).map((one) => bundle(one, false)), nextLink: null } };
    case "PATCH version": {
      allow("secrets/update/action");
      const found = secrets.find(name, version);
      found.enabled = updateBody.parse(body ?? {}).attributes.enabled ?? found.enabled;
      return { status: 200, body: bundle(found, false) };
    }
    case "DELETE name": {
      allow("secrets/delete");
      return {
        status: 200,
        body: { ...bundle(secrets.remove(name).versions.at(-1)!, false), ...deletion(base, name) },
      };
    }
    default:
      throw refusal(405, "MethodNotAllowed", `The method ${method} is not known here.`);
  }
}

export function answerDeletedSecrets(secrets: Objects<Secret>, { method, parts, base, allow }: VaultCall): Answer {
  const [name = "", action] = parts;
  const bundle = ({ version, ...rest }: Version<Secret>) => ({
    ...{
      id: `${base}/secrets/${name}/${version}`,
      attributes: attributesOf({ version, ...rest }),
      tags: rest.value.tags,
    },
  });
  if (method === "POST" && action === "recover") {
    allow("secrets/recover/action");
    return { status: 200, body: bundle(secrets.recover(name)) };
  }
  if (method === "DELETE" && action === undefined) {
    allow("secrets/purge/action");
    secrets.purge(name);
    return { status: 204 };
  }
  if (method !== "GET" || action !== undefined) throw refusal(405, "MethodNotAllowed", `${method} is not known here.`);
  allow("secrets/readMetadata/action");
  const { versions } = secrets.deleted(name);
  return { status: 200, body: { ...bundle(versions.at(-1)!), ...deletion(base, name) } };
}

const deletion = (base: string, name: string) => ({
  recoveryId: `${base}/deletedsecrets/${name}`,
  deletedDate: Math.floor(Date.now() / 1000),
  scheduledPurgeDate: Math.floor(Date.now() / 1000) + 90 * 24 * 3600,
});

export const attributesOf = ({ enabled, createdSeconds }: Version<unknown>) => ({
  enabled,
  created: createdSeconds,
  updated: createdSeconds,
  recoveryLevel: "Recoverable",
  recoverableDays: 90,
});
