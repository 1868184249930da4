/** `sallyport mask-key show|export|import`: the key of the mask `hash`, from one agent of a site to the others. */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { ConfigError } from "../config-error.ts";
import { ensureDataFolder } from "../install/windows/data-folder.ts";
import { ensureMaskKey, readMaskKey, writeMaskKey } from "../mask-key.ts";
import { openMaskKey, PASSPHRASE_LENGTH_MIN, sealMaskKey } from "../mask-key-transfer.ts";
import { asOwnerOf } from "../regular-file.ts";
import { readPinned, type StatePaths, statePaths } from "../state.ts";
import { askSecret, readSecretFile } from "./ask.ts";
import { EXIT, UsageError } from "./exit.ts";
import { type OutputOptions, print } from "./print.ts";
import { guarded, JSON_OPTION, STATE_OPTION } from "./verb.ts";

interface MaskKeyOptions extends OutputOptions {
  readonly state: string;
  readonly passphraseFile?: string;
  readonly out?: string;
  readonly replace?: boolean;
}

const PASSPHRASE_FILE = [
  "--passphrase-file <file>",
  "its first line, `-` for the standard input; else it is asked for",
] as const;

export function addMaskKey(program: Command): void {
  const maskKey = program
    .command("mask-key")
    .description("the key of the mask `hash`, which all agents of a site share");
  maskKey
    .command("show")
    .description("the key's id, which may be told to anybody; exit 1 when there is none")
    .option(...STATE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText("after", "\nTwo agents of a site must show the same.\n\nExample:\n  sallyport mask-key show")
    .action((options: MaskKeyOptions) => guarded(options, () => show(options)));
  maskKey
    .command("export")
    .description("a file with the key, sealed under a passphrase")
    .option("--out <file>", "where it is written; else to the standard output")
    .option(...PASSPHRASE_FILE)
    .option(...STATE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `
The key is made where there is none yet. Whoever has the file and the passphrase can find out hashed values by trying: send the two
on different ways, and delete the file when it is imported.

Example:
  sallyport mask-key export --out oslo.mask-key`,
    )
    .action((options: MaskKeyOptions) => guarded(options, () => exportKey(options)));
  maskKey
    .command("import <file>")
    .description("take over the key of another agent of the site")
    .option("--replace", "give up the key that this agent has: what it hashed until now has other hashes from now on")
    .option(...PASSPHRASE_FILE)
    .option(...STATE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      "\nA running agent uses it from its next session on.\n\nExample:\n  sallyport mask-key import oslo.mask-key",
    )
    .action((file: string, options: MaskKeyOptions) => guarded(options, () => importKey(file, options)));
}

function show(options: MaskKeyOptions): void {
  const key = readMaskKey(statePaths(resolve(options.state)));
  if (key === undefined) process.exitCode = EXIT.no;
  print(options, { id: key?.id ?? null }, [
    key?.id ?? "no mask key: it is made when a policy first masks with `hash`, or by `sallyport mask-key export`",
  ]);
}

async function exportKey(options: MaskKeyOptions): Promise<void> {
  const paths = enrolledPaths(options);
  const passphrase = await newPassphrase(options);
  const key = asOwnerOf(paths.pinned, () => ensureMaskKey(paths));
  const sealed = await sealMaskKey(key, passphrase);
  if (options.out === undefined) {
    process.stdout.write(sealed);
    return;
  }
  const file = resolve(options.out);
  try {
    writeFileSync(file, sealed, { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw new UsageError(`${file} cannot be written (${(error as NodeJS.ErrnoException).code})`);
  }
  print(options, { id: key.id, file }, [
    `${file} holds mask key ${key.id}`,
    "Next: `sallyport mask-key import` on the site's other agents, then delete it",
  ]);
}

async function importKey(file: string, options: MaskKeyOptions): Promise<void> {
  const paths = enrolledPaths(options);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    throw new UsageError(`${file} cannot be read`);
  }
  const key = await openMaskKey(text, await passphraseOf(options, "Passphrase (not shown): "));
  const there = readMaskKey(paths);
  if (there !== undefined && there.id !== key.id && options.replace !== true) {
    throw new ConfigError(
      `this agent has mask key ${there.id} already, and would give the values it hashed other hashes: --replace does it anyway`,
    );
  }
  asOwnerOf(paths.pinned, () => writeMaskKey(paths, key));
  print(options, { id: key.id }, [`mask key ${key.id} is in use from the next session on`]);
}

/** @throws ConfigError where no agent was enrolled: a key beside none would be lost. */
function enrolledPaths({ state }: MaskKeyOptions): StatePaths {
  const paths = statePaths(resolve(state));
  ensureDataFolder(paths);
  if (readPinned(paths) !== undefined) return paths;
  throw new ConfigError(`${paths.root} is no agent's folder: enrol first, or name it with --state`);
}

async function newPassphrase(options: MaskKeyOptions): Promise<string> {
  const passphrase = await passphraseOf(options, "New passphrase (not shown): ");
  if (passphrase.length < PASSPHRASE_LENGTH_MIN) {
    throw new UsageError(
      `a passphrase has at least ${PASSPHRASE_LENGTH_MIN} characters: whoever gets the file can guess for ever`,
    );
  }
  const isTyped = options.passphraseFile === undefined && process.stdin.isTTY;
  if (isTyped && (await askSecret("Again: ")) !== passphrase) throw new UsageError("the two passphrases differ");
  return passphrase;
}

const passphraseOf = ({ passphraseFile }: MaskKeyOptions, question: string): Promise<string> =>
  passphraseFile === undefined ? askSecret(question) : readSecretFile(passphraseFile);
