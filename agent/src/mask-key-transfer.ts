/**
 * A mask key on its way from one agent of a site to another: sealed under a passphrase, by scrypt (RFC 7914) and AES-256-GCM.
 * The cost of scrypt is fixed by the version: a file cannot ask for a weaker one, nor for a gigabyte of memory.
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from "node:crypto";
import { promisify } from "node:util";
import { fromBase64url, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { parseJson } from "@sallyport/shared/json.ts";
import { base64url, sha256Text } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import { ConfigError } from "./config-error.ts";
import { MASK_KEY_BYTES, type MaskKey, maskKeyOf } from "./mask-key.ts";

const SALT_BYTES = 16;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
/** 128 MiB and about half a second. */
const COST = { N: 2 ** 17, r: 8, p: 1, maxmem: 2 ** 28 };
/** Whoever gets hold of the file can guess for as long as they like. */
export const PASSPHRASE_LENGTH_MIN = 12;

const sealedFile = z.strictObject({
  what: z.literal("sallyport mask key"),
  v: z.literal(1),
  id: sha256Text,
  salt: base64url.length(22),
  iv: base64url.length(16),
  sealed: base64url.length(64),
});

const derive = promisify(
  (passphrase: string, salt: Uint8Array, done: (error: Error | null, key: Buffer) => void): void =>
    scrypt(passphrase.normalize("NFC"), salt, KEY_BYTES, COST, done),
);

/** The file's text. */
export async function sealMaskKey({ key, id }: MaskKey, passphrase: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv("aes-256-gcm", await derive(passphrase, salt), iv);
  cipher.setAAD(boundOf(id));
  const sealed = Buffer.concat([cipher.update(key), cipher.final(), cipher.getAuthTag()]);
  const [saltText, ivText, sealedText] = [salt, iv, sealed].map((bytes) => toBase64url(bytes));
  const content = { what: "sallyport mask key", v: 1, id, salt: saltText, iv: ivText, sealed: sealedText };
  return `${JSON.stringify(sealedFile.parse(content))}\n`;
}

/** @throws ConfigError for a file that is none of these, and for the wrong passphrase */
export async function openMaskKey(text: string, passphrase: string): Promise<MaskKey> {
  const { id, salt, iv, sealed } = parse(text);
  const bytes = fromBase64url(sealed) ?? Buffer.alloc(0);
  const decipher = createDecipheriv(
    "aes-256-gcm",
    await derive(passphrase, fromBase64url(salt) ?? Buffer.alloc(0)),
    fromBase64url(iv) ?? Buffer.alloc(IV_BYTES),
  );
  decipher.setAAD(boundOf(id));
  decipher.setAuthTag(bytes.subarray(MASK_KEY_BYTES));
  try {
    const key = Buffer.concat([decipher.update(bytes.subarray(0, MASK_KEY_BYTES)), decipher.final()]);
    const opened = maskKeyOf(key);
    if (opened.id === id) return opened;
  } catch {
    // A tag that does not fit, said below.
  }
  throw new ConfigError("the passphrase is not the one of this file, or the file was altered");
}

const boundOf = (id: string): Uint8Array => utf8(`sallyport/1 mask key export\0${id}`);

function parse(text: string): z.infer<typeof sealedFile> {
  const value = parseJson(text);
  const parsed = sealedFile.safeParse(value);
  if (parsed.success && fromBase64url(parsed.data.sealed)?.byteLength === MASK_KEY_BYTES + TAG_BYTES)
    return parsed.data;
  throw new ConfigError("this is no file of `sallyport mask-key export`");
}
