/**
 * `mask.key`: the key under which the mask `hash` is computed. All agents of a site have the same one, or a value would have
 * another hash with each of them. Its id tells them apart and says nothing about the key.
 */
import { randomBytes } from "node:crypto";
import { closeSync, fstatSync, readFileSync } from "node:fs";
import { isOpenToOthers } from "@sallyport/shared/closed-file.ts";
import { fromBase64url, sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { parseJson } from "@sallyport/shared/json.ts";
import { sha256Text } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import { ConfigError } from "./config-error.ts";
import { openRegular } from "./regular-file.ts";
import { openSecret, type Wrapping, writeSecret } from "./secret-file.ts";
import type { StatePaths } from "./state.ts";

export const MASK_KEY_BYTES = 32;

const file = z.object({ v: z.literal(1), key: sha256Text });

export interface MaskKey {
  /** 32 random bytes. */
  readonly key: Uint8Array;
  /** What the hello and `sallyport mask-key` call it. */
  readonly id: string;
}

/** The key with its id. */
export const maskKeyOf = (key: Uint8Array): MaskKey => ({
  key,
  id: toBase64url(sha256(utf8("sallyport/1 mask key\0"), key)),
});

/** Of the file as it was last read: to decrypt it starts a process, and each session asks. */
let lastOpened: { readonly file: string; readonly text: string } | undefined;

function opened(path: string, file: string, wrapping?: Wrapping): string {
  if (lastOpened?.file !== file) lastOpened = { file, text: openSecret(path, file, wrapping) };
  return lastOpened.text;
}

/** Undefined where there is none. @throws ConfigError when it is not whole, others may read it, or it does not open here */
export function readMaskKey(paths: Pick<StatePaths, "maskKey">, wrapping?: Wrapping): MaskKey | undefined {
  const file = textOf(paths.maskKey);
  if (file === undefined) return undefined;
  const text = opened(paths.maskKey, file, wrapping);
  const key = fromBase64url(parse(text) ?? "");
  if (key?.byteLength === MASK_KEY_BYTES) return maskKeyOf(key);
  throw new ConfigError(`${paths.maskKey} holds no mask key: import it again with \`sallyport mask-key import\``);
}

function textOf(path: string): string | undefined {
  let handle: number;
  try {
    handle = openRegular(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw new ConfigError(`${path} cannot be read (${code ?? message})`);
  }
  try {
    const stat = fstatSync(handle);
    if (stat.nlink > 1)
      throw new ConfigError(`${path} has another name somewhere, and may be another file: import it again`);
    if (isOpenToOthers(stat)) {
      throw new ConfigError(`${path} can be read by others: chmod 600 it, and think of who has read it`);
    }
    return readFileSync(handle, "utf8");
  } finally {
    closeSync(handle);
  }
}

const parse = (text: string): string | undefined => file.safeParse(parseJson(text)).data?.key;

export function writeMaskKey(paths: Pick<StatePaths, "maskKey">, { key }: MaskKey, wrapping?: Wrapping): void {
  writeSecret(paths.maskKey, `${JSON.stringify({ v: 1, key: toBase64url(key) })}\n`, wrapping);
}

/** The key, made where there is none. @throws ConfigError */
export function ensureMaskKey(paths: Pick<StatePaths, "maskKey">): MaskKey {
  const there = readMaskKey(paths);
  if (there !== undefined) return there;
  const made = maskKeyOf(randomBytes(MASK_KEY_BYTES));
  writeMaskKey(paths, made);
  return made;
}
