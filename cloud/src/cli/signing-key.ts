/** `sallyportctl signing-key announce|adopt`: rotates the orchestrator's signing key, in a file or in Key Vault (`SALLYPORT_SIGNING_KEY`). */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { fingerprint } from "@sallyport/shared/crypto/identity.ts";
import { parseJson } from "@sallyport/shared/json.ts";
import type { Command } from "commander";
import { parseRing } from "../agents/signing-key.ts";
import { adoptKey, announceKey, publicKeysOf } from "../agents/signing-ring.ts";
import { CliError, EXIT } from "./exit.ts";
import { createOutput, fail } from "./print.ts";
import { readWholeSecret } from "./secret.ts";

interface RotateOptions {
  readonly file?: string;
  readonly vault?: string;
  readonly origin: string;
  readonly json?: boolean;
}

export function addSigningKey(program: Command): void {
  const noun = program
    .command("signing-key")
    .description("the orchestrator's own key, in its file or its vault; does not ask the orchestrator");
  step(
    noun,
    "announce",
    "makes a new key beside the one in use; agents learn it with their next token",
    "Restart the function app. An hour later at the earliest: sallyportctl signing-key adopt. An agent that was away finds its way.",
  );
  step(
    noun,
    "adopt",
    "signs with the announced key from now on, and has every agent drop the old one",
    "Restart the function app. Destroy copies of the old file; disable the old version in a vault after a day.",
  );
}

type Step = "adopt" | "announce";

function step(noun: Command, name: Step, description: string, next: string): void {
  noun
    .command(name)
    .description(description)
    .option("--file <file>", "what SALLYPORT_SIGNING_KEY names, of mode 0600")
    .option(
      "--vault <address>",
      "or the key's address that it names, https://VAULT/keys/NAME; you sign in by `az login`",
    )
    .requiredOption("--origin <origin>", "the orchestrator's https:// address as agents have pinned it")
    .option("--json", "JSON on the standard output")
    .addHelpText(
      "after",
      `\nExample:\n  sallyportctl signing-key ${name} --file signing-key.json --origin https://sallyport-contoso.azurewebsites.net`,
    )
    .action(async ({ file, vault, origin, json = false }: RotateOptions) => {
      try {
        if (URL.parse(origin)?.origin !== origin || !origin.startsWith("https:")) {
          throw new CliError(
            EXIT.usage,
            `${origin} is no https:// address.`,
            "Give it as agents have it in agent.yaml.",
          );
        }
        if ((file === undefined) === (vault === undefined))
          throw new CliError(EXIT.usage, "Give either --file or --vault.", "Add --help to see how it goes.");
        const { seq, keys } =
          file === undefined ? await inVault(name, vault ?? "", origin) : await inFile(name, file, origin);
        createOutput(json).print({ seq, keys }, [`Key set ${seq}:`, ...keys.map((each) => `  ${each}`), next]);
      } catch (error) {
        fail(error, json);
      }
    });
}

interface KeySet {
  readonly seq: number;
  /** Fingerprints. */
  readonly keys: readonly string[];
}

async function inFile(name: Step, file: string, origin: string): Promise<KeySet> {
  const ring = parseRing(parseJson(readWholeSecret(file, "the signing key")));
  if (ring === undefined)
    throw new CliError(EXIT.configuration, `${file} holds no signing key.`, "Nothing was changed.");
  if ((ring.next === null) !== (name === "announce")) throw outOfTurn(name);
  const changed = await (name === "announce" ? announceKey : adoptKey)(ring, origin, new Date());
  replace(file, `${JSON.stringify(changed)}\n`);
  return { seq: changed.seq, keys: await Promise.all(publicKeysOf(changed).map((key) => fingerprint(key))) };
}

/** Needs the roles Key Vault Crypto Officer on the key and Key Vault Secrets Officer on the vault, which the app has not. */
async function inVault(name: Step, address: string, origin: string): Promise<KeySet> {
  // Only who rotates in a vault waits for Azure's libraries.
  const [{ rotateInVault }, { DefaultAzureCredential }] = await Promise.all([
    import("../agents/signing/rotate.ts"),
    import("@azure/identity"),
  ]);
  const rotated = await rotateInVault(name, address, origin, new DefaultAzureCredential());
  if (rotated === "no key")
    throw new CliError(EXIT.usage, `${address} is no key's address.`, "It looks like https://VAULT/keys/NAME.");
  if (rotated === "out of turn") throw outOfTurn(name);
  return rotated;
}

const outOfTurn = (name: Step): CliError =>
  name === "announce"
    ? new CliError(EXIT.no, "A new key is announced already.", "Finish with: sallyportctl signing-key adopt")
    : new CliError(EXIT.no, "No new key was announced.", "Begin with: sallyportctl signing-key announce");

/** The old content or the new one, never half: without it no agent hears this orchestrator any more. */
function replace(file: string, text: string): void {
  const beside = `${file}.new`;
  rmSync(beside, { force: true });
  const descriptor = openSync(beside, "wx", 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(beside, file);
  sync(dirname(file));
}

/** What a folder names is on the disk only after this; Windows does it by itself and opens no folder. */
function sync(folder: string): void {
  if (process.platform === "win32") return;
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
