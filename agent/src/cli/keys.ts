/** `sallyport keys show|rotate`: the agent's public keys, and a new identity at the owner's word. */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { readAgentKey, unsealKid } from "@sallyport/shared/crypto/agent-key.ts";
import type { Command } from "commander";
import { ConfigError } from "../config-error.ts";
import { ensureDataFolder } from "../install/windows/data-folder.ts";
import { asOwnerOf } from "../regular-file.ts";
import { statePaths, writeFileDurably } from "../state.ts";
import { readStatus } from "../supervisor/status.ts";
import { type OutputOptions, print } from "./print.ts";
import { guarded, JSON_OPTION, STATE_OPTION } from "./verb.ts";

interface KeysOptions extends OutputOptions {
  readonly state: string;
  readonly out?: string;
}

/** The agent's account has to read it; only who may write the folder can ask. */
const WISH_MODE = 0o644;

export function addKeys(program: Command): void {
  const keys = program.command("keys").description("the agent's own keys");
  keys
    .command("show")
    .description("the fingerprint of this agent, and its public keys as a file for `sallyport credential seal`")
    .option("--out <file>", "write the public keys there")
    .option(...STATE_OPTION)
    .option("--json", "the public keys on the standard output")
    .addHelpText(
      "after",
      "\nNothing secret is shown or written.\n\nExample:\n  sallyport keys show --out erp-host-1.key.json",
    )
    .action((options: KeysOptions) => guarded(options, () => show(options)));
  keys
    .command("rotate")
    .description("give the agent a new identity now, instead of at two thirds of its life")
    .option(...STATE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `
The running agent makes the key, and tells the orchestrator in a statement that the old and the new key sign; the old one is worth
nothing a day later. Sealed credentials stay good: their key is another one. Where somebody may have had the old key, this is not
enough: have the agent revoked, then \`sallyport enroll\` (docs/keys.md).

Example:
  sallyport keys rotate && sallyport status`,
    )
    .action((options: KeysOptions) => guarded(options, () => rotate(options)));
}

async function show(options: KeysOptions): Promise<void> {
  const paths = statePaths(resolve(options.state));
  const { ownKey } = await import("../seal/keys.ts");
  const key = await ownKey(paths, Date.now());
  const read = key && (await readAgentKey(key));
  if (key === undefined || read === undefined) throw new ConfigError(`no agent is enrolled in ${paths.root}`);
  const { agent, tenant, site } = read.said;
  const out = options.out === undefined ? undefined : resolve(options.out);
  if (out !== undefined) writeFileSync(out, `${JSON.stringify(key, null, 2)}\n`);
  print(options, key, [
    `Agent         ${agent}, site ${site}, tenant ${tenant}`,
    `Identity      ${read.fingerprint}   compare it on both screens`,
    `Unseal key    SHA256:${unsealKid(read.said.key)}   credentials are sealed to it`,
    ...(out === undefined ? [] : [`Written       ${out}: public keys only`]),
  ]);
}

function rotate(options: KeysOptions): void {
  const paths = statePaths(resolve(options.state));
  ensureDataFolder(paths);
  const now = new Date();
  const found = readStatus(paths, now.getTime());
  if (found === undefined) throw new ConfigError(`no agent has run on ${paths.root}`);
  asOwnerOf(paths.control, () => writeFileDurably(paths.rotate, `${now.toISOString()}\n`, WISH_MODE));
  const live = found.live;
  print(options, { requested: now.toISOString(), running: live, fingerprint: found.status.fingerprint }, [
    `Asked for     a new identity${live ? "" : ", which the agent makes when it is started"}`,
    `Until now     ${found.status.fingerprint}`,
    "Next          `sallyport status` shows the new fingerprint once the orchestrator has confirmed it, within seconds",
  ]);
}
