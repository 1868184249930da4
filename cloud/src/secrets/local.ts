/**
 * The local secret store: one JSON file, each entry encrypted by AES-256-GCM with its name and version as additional
 * data, so that entries cannot be swapped. Written to a new file and renamed, mode 0600: a crash leaves the old or the new.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { base64url } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import { SECRET_NAME, type Secret, type SecretStore } from "./secrets.ts";

const entry = z.strictObject({ version: z.string().regex(/^[0-9a-f]{32}$/), iv: base64url, sealed: base64url });
const file = z.strictObject({ v: z.literal(1), secrets: z.record(z.string().regex(SECRET_NAME), z.array(entry)) });
type SecretsFile = z.infer<typeof file>;
type Entry = z.infer<typeof entry>;

/** Versions kept of one name: enough for a run that began before a change, and the file stays small. */
const KEPT_VERSIONS = 10;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** `key`: 32 bytes. One process writes the file; its writes queue up. Throws RangeError for another key. */
export function localSecrets(path: string, key: Uint8Array, random: (bytes: number) => Buffer): SecretStore {
  if (key.length !== 32) throw new RangeError("the secret store's key has 32 bytes");
  let writing: Promise<unknown> = Promise.resolve();
  const put = async (name: string, value: string): Promise<string> => {
    checkName(name);
    const content = await load(path);
    const version = random(16).toString("hex");
    const old = Object.hasOwn(content.secrets, name) ? content.secrets[name]! : [];
    const versions = [seal(key, random(IV_BYTES), name, version, value), ...old].slice(0, KEPT_VERSIONS);
    await save(path, { v: 1, secrets: { ...content.secrets, [name]: versions } }, random);
    return version;
  };
  const remove = async (name: string): Promise<void> => {
    checkName(name);
    const { secrets } = await load(path);
    if (!Object.hasOwn(secrets, name)) return;
    const { [name]: _gone, ...rest } = secrets;
    await save(path, { v: 1, secrets: rest }, random);
  };
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const written = writing.then(work);
    writing = written.catch(() => undefined);
    return written;
  };
  return {
    async get(name, version) {
      checkName(name);
      const { secrets } = await load(path);
      const versions = Object.hasOwn(secrets, name) ? secrets[name]! : [];
      const found = version === undefined ? versions[0] : versions.find((one) => one.version === version);
      return found && unseal(key, name, found);
    },
    put: (name, value) => inTurn(() => put(name, value)),
    remove: (name) => inTurn(() => remove(name)),
  };
}

const additionalData = (name: string, version: string) => Buffer.from(`sallyport secret\0${name}\0${version}`);

function seal(key: Uint8Array, iv: Buffer, name: string, version: string, value: string): Entry {
  const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(additionalData(name, version));
  const sealed = Buffer.concat([cipher.update(value, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return { version, iv: iv.toString("base64url"), sealed: sealed.toString("base64url") };
}

function unseal(key: Uint8Array, name: string, { version, iv, sealed }: Entry): Secret {
  const bytes = Buffer.from(sealed, "base64url");
  try {
    const options = { authTagLength: TAG_BYTES };
    const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(iv, "base64url"), options)
      .setAAD(additionalData(name, version))
      .setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
    const text = Buffer.concat([decipher.update(bytes.subarray(0, bytes.length - TAG_BYTES)), decipher.final()]);
    return { value: text.toString("utf8"), version };
  } catch (cause) {
    throw unavailable("An entry of the secret file does not open with this key.", cause);
  }
}

async function load(path: string): Promise<SecretsFile> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return { v: 1, secrets: {} };
    throw unavailable("The secret file cannot be read.", cause);
  }
  try {
    return file.parse(JSON.parse(text));
  } catch {
    throw unavailable("The secret file is damaged.");
  }
}

async function save(path: string, content: SecretsFile, random: (bytes: number) => Buffer): Promise<void> {
  const fresh = `${path}.${random(6).toString("hex")}`;
  try {
    const handle = await open(fresh, "wx", 0o600);
    try {
      await handle.writeFile(JSON.stringify(content));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(fresh, path);
  } catch (cause) {
    await rm(fresh, { force: true });
    throw unavailable("The secret file cannot be written.", cause);
  }
}

function checkName(name: string): void {
  if (!SECRET_NAME.test(name)) throw new RangeError("a secret's name is 1 to 127 of letters, digits and -");
}

const unavailable = (message: string, cause?: unknown) => new SallyportError("secrets.unavailable", message, {}, cause);
