/** EC keys of a vault. The private part is in a KeyObject and in no answer. Source: https://learn.microsoft.com/rest/api/keyvault/keys */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { z } from "zod";
import { type Answer, refusal } from "../errors.ts";
import { signDigest } from "./ecdsa.ts";
import { type Objects, requireEnabled, type Version } from "./objects.ts";
import type { VaultCall } from "./route.ts";
import { attributesOf } from "./secrets.ts";

export interface Key {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly kty: "EC" | "EC-HSM";
  readonly operations: readonly string[];
}

const createBody = z.object({
  kty: z.enum(["EC", "EC-HSM"]),
  crv: z.literal("P-256").default("P-256"),
  key_ops: z.array(z.enum(["sign", "verify"])).default(["sign", "verify"]),
  attributes: z.object({ exportable: z.literal(false).optional() }).default({}),
});
const signBody = z.object({ alg: z.literal("ES256"), value: z.string().regex(/^[A-Za-z0-9_-]+$/) });
const updateBody = z.object({ attributes: z.object({ enabled: z.boolean().optional() }).default({}) });

export function newKey(kty: Key["kty"], operations: readonly string[]): Key {
  return { ...generateKeyPairSync("ec", { namedCurve: "P-256" }), kty, operations };
}

export function answerKeys(keys: Objects<Key>, call: VaultCall): Answer {
  const { method, parts, body, base, allow } = call;
  const [name = "", version, action] = parts;
  const bundle = (one: Version<Key>) => bundleOf(base, name, one);
  if (action !== undefined) return use(keys, call, version ?? "", action);
  switch (
    `${method} ${version === "versions" || version === "create" ? version : version === undefined ? "name" : "version"}`
  ) {
    case "POST create": {
      allow("keys/create/action");
      const given = createBody.safeParse(body);
      if (!given.success) throw refusal(400, "BadParameter", z.prettifyError(given.error));
      return { status: 200, body: bundle(keys.add(name, newKey(given.data.kty, given.data.key_ops))) };
    }
    case "GET name":
    case "GET version":
      allow("keys/read");
      return { status: 200, body: bundle(keys.find(name, version)) };
    case "GET versions":
      allow("keys/read");
      return { status: 200, body: { value: keys.versions(name).map(itemOf(base, name)), nextLink: null } };
    case "PATCH version": {
      allow("keys/update/action");
      const found = keys.find(name, version);
      found.enabled = updateBody.parse(body ?? {}).attributes.enabled ?? found.enabled;
      return { status: 200, body: bundle(found) };
    }
    case "DELETE name":
      allow("keys/delete");
      return {
        status: 200,
        body: { ...bundle(keys.remove(name).versions.at(-1)!), recoveryId: `${base}/deletedkeys/${name}` },
      };
    default:
      throw refusal(405, "MethodNotAllowed", `The method ${method} is not known here.`);
  }
}

/** `POST /keys/NAME/VERSION/sign`; an empty version is the newest. */
function use(
  keys: Objects<Key>,
  { method, parts, body, base, allow }: VaultCall,
  version: string,
  action: string,
): Answer {
  const [name = ""] = parts;
  if (method !== "POST" || action !== "sign") throw refusal(404, "NotFound", "There is no such operation.");
  allow("keys/sign/action");
  const found = keys.find(name, version === "" ? undefined : version);
  requireEnabled("Key", action, found);
  const { privateKey, operations } = found.value;
  if (!operations.includes(action))
    throw refusal(403, "Forbidden", `Operation ${action} is not permitted on this key.`, "KeyOperationForbidden");
  const given = signBody.safeParse(body);
  if (!given.success) throw refusal(400, "BadParameter", z.prettifyError(given.error));
  const digest = Buffer.from(given.data.value, "base64url");
  if (digest.byteLength !== 32)
    throw refusal(
      400,
      "BadParameter",
      `Invalid length of 'value': ${digest.byteLength} bytes. ES256 requires 32 bytes.`,
    );
  const kid = `${base}/keys/${name}/${found.version}`;
  return { status: 200, body: { kid, value: signDigest(privateKey, digest).toString("base64url") } };
}

export function answerDeletedKeys(keys: Objects<Key>, { method, parts, base, allow }: VaultCall): Answer {
  const [name = "", action] = parts;
  if (method === "POST" && action === "recover") {
    allow("keys/recover/action");
    return { status: 200, body: bundleOf(base, name, keys.recover(name)) };
  }
  if (method === "DELETE" && action === undefined) {
    allow("keys/purge/action");
    keys.purge(name);
    return { status: 204 };
  }
  if (method !== "GET" || action !== undefined) throw refusal(405, "MethodNotAllowed", `${method} is not known here.`);
  allow("keys/read");
  return { status: 200, body: bundleOf(base, name, keys.deleted(name).versions.at(-1)!) };
}

function bundleOf(base: string, name: string, one: Version<Key>) {
  const { x, y } = one.value.publicKey.export({ format: "jwk" });
  const { kty, operations } = one.value;
  return {
    key: { kid: `${base}/keys/${name}/${one.version}`, kty, crv: "P-256", x, y, key_ops: operations },
    attributes: { ...attributesOf(one), exportable: false },
    tags: {},
  };
}

const itemOf = (base: string, name: string) => (one: Version<Key>) => ({
  kid: `${base}/keys/${name}/${one.version}`,
  attributes: attributesOf(one),
  tags: {},
});
