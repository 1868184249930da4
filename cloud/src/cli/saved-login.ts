/** The file of `sallyportctl login`. Its key is for the one address that it was given for, and goes nowhere else. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseJson } from "@sallyport/shared/json.ts";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import { CliError, EXIT } from "./exit.ts";
import { readWholeSecret } from "./secret.ts";

const savedLogin = z.strictObject({
  v: z.literal(1),
  origin: z.url({ protocol: /^https$/ }),
  key: z.string().max(256),
  tenant: nameId.optional(),
  ca: z.string().optional(),
});
export type SavedLogin = z.infer<typeof savedLogin>;

/** Undefined when nobody has logged in. @throws CliError when others may read it, or it is none */
export function readLogin(file: string): SavedLogin | undefined {
  let text: string;
  try {
    text = readWholeSecret(file, "an API key");
  } catch (thrown) {
    if (thrown instanceof CliError && thrown.message.includes("(ENOENT)")) return undefined;
    throw thrown;
  }
  const parsed = savedLogin.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new CliError(EXIT.configuration, `${file} is not what \`login\` writes.`, "Log in again: sallyportctl login");
}

export function saveLogin(file: string, login: SavedLogin): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const fresh = `${file}.${process.pid}`;
  writeFileSync(fresh, `${JSON.stringify(savedLogin.parse(login))}\n`, { mode: 0o600, flag: "wx" });
  renameSync(fresh, file);
}

export const forgetLogin = (file: string): void => rmSync(file, { force: true });
