/** What a function app registers when a worker loads it, and what loading it takes. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";

const IMPORTED = fileURLToPath(new URL("./imported.ts", import.meta.url));
const imported = z.strictObject({
  /** Names, routes, bindings and options as the app gave them, in its order. */
  functions: z.array(z.looseObject({ name: z.string(), bindings: z.record(z.string(), z.unknown()) })),
  milliseconds: z.number(),
  residentBytes: z.number(),
});
export type Imported = z.infer<typeof imported>;

/** Settings that let the app load; nothing answers there. */
const SETTINGS = {
  WEBSITE_HOSTNAME: "localhost",
  SALLYPORT_ADMIN_KEY_SHA256: "0".repeat(64),
  SALLYPORT_TABLES: "https://localhost/tables",
  SALLYPORT_BLOBS: "https://localhost/blobs",
  SALLYPORT_SERVICEBUS__fullyQualifiedNamespace: "localhost",
  SALLYPORT_RELAY: "localhost",
  SALLYPORT_RELAY_LISTEN: "Endpoint=sb://localhost/;SharedAccessKeyName=listen;SharedAccessKey=a2V5",
  SALLYPORT_RELAY_RESOURCE: "https://localhost/namespaces/none",
  SALLYPORT_SIGNING_KEY: "/nowhere/signing-key.json",
  SALLYPORT_SECRETS: "/nowhere/secrets.json",
  SALLYPORT_SECRETS_KEY: "/nowhere/secrets.key",
};

/** Loads the app of a folder in a process of its own. Rejects with what it wrote where it does not load. */
export async function indexApp(folder: string, flags: readonly string[] = []): Promise<Imported> {
  const args = ["--disable-warning=ExperimentalWarning", ...flags, IMPORTED, folder];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { PATH: process.env.PATH ?? "", ...SETTINGS },
    timeout: 120_000,
  });
  return imported.parse(JSON.parse(stdout.trimEnd().split("\n").at(-1)!));
}
