/**
 * Files with a secret key. On Windows their content is encrypted by the machine's DPAPI, so that a copied disk or backup holds none in
 * clear; on Linux rights alone keep them, and systemd's credential where the owner asked for it (install/credential.ts).
 */
import { z } from "zod";
import { ConfigError } from "./config-error.ts";
import { type Ask, askNative } from "./install/windows/native-child.ts";
import { readTextIfAny, writeFileDurably } from "./state.ts";

/** `machine`: whatever account asks on this machine, by DPAPI's own rules. */
const wrapped = z.strictObject({ dpapi: z.literal("machine"), blob: z.base64() });

export interface Wrapping {
  readonly isWindows: boolean;
  readonly ask: Ask;
}

const ofThisMachine: Wrapping = { isWindows: process.platform === "win32", ask: askNative };

/** The file's text, unwrapped; undefined where there is none. @throws ConfigError where it cannot be unwrapped here */
export function readSecret(path: string, wrapping: Wrapping = ofThisMachine): string | undefined {
  const text = readTextIfAny(path);
  return text === undefined ? undefined : openSecret(path, text, wrapping);
}

/** What a file's text says, for who has read it already; as it is where it is in clear. @throws ConfigError as `readSecret` */
export function openSecret(path: string, text: string, { isWindows, ask }: Wrapping = ofThisMachine): string {
  const blob = blobOf(text);
  if (blob === undefined) return text;
  if (!isWindows)
    throw new ConfigError(`${path} is encrypted for the Windows machine where it was made: enrol here anew`);
  const answer = ask({ ask: "unprotect", bytes: blob });
  if (!("bytes" in answer)) throw new ConfigError(`${path} was not decrypted`);
  return Buffer.from(answer.bytes, "base64").toString("utf8");
}

/** Replaces the file atomically. @throws ConfigError where it cannot be wrapped */
export function writeSecret(path: string, text: string, wrapping: Wrapping = ofThisMachine): void {
  writeFileDurably(path, wrapping.isWindows ? wrap(path, text, wrapping) : text);
}

function wrap(path: string, text: string, { ask }: Wrapping): string {
  const answer = ask({ ask: "protect", bytes: Buffer.from(text).toString("base64") });
  if (!("bytes" in answer)) throw new ConfigError(`${path} was not encrypted`);
  return `${JSON.stringify(wrapped.parse({ dpapi: "machine", blob: answer.bytes }))}\n`;
}

/** Wraps it anew, also one that was in clear; answers whether there is one. What is written opens again, or the old one stays. */
export function rewrapSecret(path: string, wrapping: Wrapping = ofThisMachine): boolean {
  const text = readSecret(path, wrapping);
  if (text === undefined) return false;
  const anew = wrapping.isWindows ? wrap(path, text, wrapping) : text;
  // What is tried is what is written, before the only copy is replaced.
  if (!opens(path, anew, text, wrapping))
    throw new ConfigError(`${path}: what was encrypted does not open again, so it stays as it is`);
  writeFileDurably(path, anew);
  return true;
}

function opens(path: string, written: string, text: string, wrapping: Wrapping): boolean {
  try {
    return openSecret(path, written, wrapping) === text;
  } catch {
    return false;
  }
}

function blobOf(text: string): string | undefined {
  if (!text.startsWith('{"dpapi')) return undefined;
  try {
    return wrapped.parse(JSON.parse(text)).blob;
  } catch {
    throw new ConfigError("a wrapped key's file is damaged: enrol again");
  }
}
