/** `sallyportctl signing-key announce|adopt`: rotates the orchestrator's signing key, where that is a file (`SALLYPORT_SIGNING_KEY`). */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { fingerprint } from "@sallyport/shared/crypto/identity.ts";
import { parseJson } from "@sallyport/shared/json.ts";
import type { Command } from "commander";
import { parseRing } from "../agents/signing-key.ts";
import { adoptKey, announceKey, publicKeysOf, type SigningRing } from "../agents/signing-ring.ts";
import { CliError, EXIT } from "./exit.ts";
import { createOutput, fail } from "./print.ts";
import { readWholeSecret } from "./secret.ts";

interface RotateOptions {
  readonly file: string;
  readonly origin: string;
  readonly json?: boolean;
}

export function addSigningKey(program: Command): void {
  const noun = program.command("signing-key").description("the orchestrator's own key, in its file; asks nobody");
  step(
    noun,
    "announce",
    "makes a new key beside the one in use; agents learn it with their next token",
    announceKey,
    "Restart the function app. An hour later at the earliest: sallyportctl signing-key adopt. An agent that was away finds its way.",
  );
  step(
    noun,
    "adopt",
    "signs with the announced key from now on, and has every agent drop the old one",
    adoptKey,
    "Restart the function app, and destroy copies of the old file.",
  );
}

function step(
  noun: Command,
  name: string,
  description: string,
  change: (ring: SigningRing, origin: string, now: Date) => Promise<SigningRing>,
  next: string,
): void {
  noun
    .command(name)
    .description(description)
    .requiredOption("--file <file>", "what SALLYPORT_SIGNING_KEY names, of mode 0600")
    .requiredOption("--origin <origin>", "the orchestrator's https:// address as agents have pinned it")
    .option("--json", "JSON on the standard output")
    .addHelpText(
      "after",
      `\nExample:\n  sallyportctl signing-key ${name} --file signing-key.json --origin https://sallyport-contoso.azurewebsites.net`,
    )
    .action(async ({ file, origin, json = false }: RotateOptions) => {
      try {
        if (URL.parse(origin)?.origin !== origin || !origin.startsWith("https:")) {
          throw new CliError(
            EXIT.usage,
            `${origin} is no https:// address.`,
            "Give it as agents have it in agent.yaml.",
          );
        }
        const ring = parseRing(parseJson(readWholeSecret(file, "the signing key")));
        if (ring === undefined)
          throw new CliError(EXIT.configuration, `${file} holds no signing key.`, "Nothing was changed.");
        if ((ring.next === null) !== (name === "announce")) throw outOfTurn(name);
        const changed = await change(ring, origin, new Date());
        replace(file, `${JSON.stringify(changed)}\n`);
        const keys = await Promise.all(publicKeysOf(changed).map((key) => fingerprint(key)));
        createOutput(json).print({ seq: changed.seq, keys }, [
          `Key set ${changed.seq}:`,
          ...keys.map((key) => `  ${key}`),
          next,
        ]);
      } catch (error) {
        fail(error, json);
      }
    });
}

const outOfTurn = (name: string): CliError =>
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
}
