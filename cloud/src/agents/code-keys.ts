/**
 * Keys of enrolment codes at rest: AES-256-GCM under one key of the secret store, with the code's id as additional data,
 * so that reading the table is not enough to enrol.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { fromBase64url, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { SecretStore } from "../secrets/secrets.ts";

const WRAPPING_KEY = "enrolment-code-key";
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** @throws secrets.unavailable */
export async function sealCodeKey(
  secrets: SecretStore,
  random: (bytes: number) => Buffer,
  codeId: string,
  key: Uint8Array,
): Promise<string> {
  const { value, version } = await wrappingKey(secrets, random);
  const iv = random(IV_BYTES);
  const cipher = createCipheriv("aes-256-gcm", Buffer.from(value, "base64url"), iv).setAAD(utf8(codeId));
  const sealed = Buffer.concat([iv, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
  return `${version}.${toBase64url(sealed)}`;
}

/** @throws secrets.unavailable */
export async function openCodeKey(secrets: SecretStore, codeId: string, sealedKey: string): Promise<Uint8Array> {
  const [version = "", text = ""] = sealedKey.split(".");
  const wrapping = await secrets.get(WRAPPING_KEY, version);
  const sealed = fromBase64url(text);
  if (wrapping === undefined || sealed === undefined) throw unavailable();
  try {
    const decipher = createDecipheriv(
      "aes-256-gcm",
      Buffer.from(wrapping.value, "base64url"),
      sealed.subarray(0, IV_BYTES),
      {
        authTagLength: TAG_BYTES,
      },
    )
      .setAAD(utf8(codeId))
      .setAuthTag(sealed.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw unavailable();
  }
}

async function wrappingKey(
  secrets: SecretStore,
  random: (bytes: number) => Buffer,
): Promise<{ value: string; version: string }> {
  const stored = await secrets.get(WRAPPING_KEY);
  if (stored !== undefined) return stored;
  const value = toBase64url(random(32));
  return { value, version: await secrets.put(WRAPPING_KEY, value) };
}

const unavailable = () => new SallyportError("secrets.unavailable", "The key of an enrolment code does not open.");
