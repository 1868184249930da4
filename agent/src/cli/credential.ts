/** `sallyport credential seal`: a login that only the agents named here can open, and nobody on the way. */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { AgentKey } from "@sallyport/shared/crypto/agent-key.ts";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import { askUnseen } from "@sallyport/shared/terminal.ts";
import type { Command } from "commander";
import { ConfigError } from "../config-error.ts";
import { parsePolicy } from "../policy/file.ts";
import { statePaths } from "../state.ts";
import { REFUSALS, readPasswordFile } from "./ask.ts";
import { UsageError } from "./exit.ts";
import { counted, type OutputOptions, print } from "./print.ts";
import { guarded, JSON_OPTION, STATE_OPTION } from "./verb.ts";
import { connectionOf, loginOf } from "./which-login.ts";

interface SealOptions extends OutputOptions {
  readonly connection: string;
  readonly agent: readonly string[];
  readonly keys?: readonly string[];
  readonly login?: string;
  readonly signIn?: string;
  readonly passwordFile?: string;
  readonly policy?: string;
  readonly out?: string;
  readonly state: string;
}

export function addCredential(program: Command): void {
  program
    .command("credential")
    .description("credentials that the platform stores and cannot open")
    .command("seal")
    .description("seal a login of a connection to agents of this site")
    .requiredOption("--connection <name>", "its name in the policy; address, database and TLS are the policy's")
    .requiredOption(
      "--agent <fingerprint|file...>",
      "SHA256:… as `sallyport status` shows it on the agent, or its key file",
    )
    .option("--keys <file...>", "where keys are looked up by fingerprint, beside this machine's own")
    .option("--login <name>", "one of the policy's logins; not needed where there is one")
    .option("--sign-in <word>", "one of the policy's `signIn`; the first one when left out")
    .option(
      "--password-file <file>",
      "the password in a file, - for the standard input; asked for, unseen, when it is missing",
    )
    .option("--policy <file>", "instead of the policy.yaml of the agent's folder")
    .option("--out <file>", "what is written; CONNECTION.sealed.json when left out")
    .option(...STATE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `
Whoever sends you keys could send their own: only a key whose fingerprint you read on the agent itself is taken, or a file that
\`sallyport keys show --out FILE\` wrote there. Seal again for a new agent of the site, after \`sallyport enroll\`, and when the policy's
address, database or TLS mode for the connection changes. Send the file to the platform team; it is of no use to anybody else.

Example:
  sallyport credential seal --connection erp --agent SHA256:9fLw…2Zc
  sallyport credential seal --connection erp --agent SHA256:9fLw…2Zc SHA256:q3V0…kY8 --keys oslo-keys.json --login svc_sallyport`,
    )
    .action((options: SealOptions) => guarded(options, () => seal(options)));
}

async function seal(options: SealOptions): Promise<void> {
  const connection = nameId.safeParse(options.connection);
  if (!connection.success) throw new UsageError(`--connection: ${connection.error.issues[0]?.message}`);
  const paths = statePaths(resolve(options.state));
  const [{ sealCredential }, { ownKey, readKeyFile, trustedKeys }, { targetOf }] = await Promise.all([
    import("@sallyport/shared/crypto/sealed-credential.ts"),
    import("../seal/keys.ts"),
    import("../seal/target.ts"),
  ]);
  const own = await ownKey(paths, Date.now());
  const offered: readonly AgentKey[] = [
    ...(own === undefined ? [] : [own]),
    ...(options.keys ?? []).flatMap(readKeyFile),
  ];
  const keys = await trustedKeys(options.agent, offered);
  const policy = parsePolicy(readPolicy(options.policy ?? paths.policy), new Date());
  const entry = connectionOf(policy, connection.data);
  const target = targetOf(entry, loginOf(connection.data, entry.logins, options.login), options.signIn);
  if (target === undefined) {
    throw new UsageError(`the policy does not allow sign-in by ${options.signIn} for ${connection.data}`);
  }
  const password =
    options.passwordFile === undefined
      ? await askUnseen(`Password of ${target.user} (not shown): `, REFUSALS)
      : await readPasswordFile(options.passwordFile);
  if (password === "") throw new UsageError("the password is empty: nothing was sealed");
  const { tenant, site } = keys[0]!;
  const of = { tenant, site, connection: connection.data };
  const parts = await Promise.all(keys.map(({ key }) => sealCredential({ ...target, password }, of, key)));
  const out = resolve(options.out ?? `${connection.data}.sealed.json`);
  write(out, `${JSON.stringify({ form: "sealed", ...of, parts }, null, 2)}\n`);
  const agents = keys.map(({ agent, fingerprint }) => ({ agent, fingerprint }));
  print(options, { file: out, ...of, user: target.user, agents }, [
    `Sealed        ${target.user} of ${connection.data} to ${counted(agents.length, "agent")} of ${site}, ${tenant}`,
    ...agents.map(({ agent, fingerprint }) => `  agent       ${agent}  ${fingerprint}`),
    `Target        ${target.host}:${target.port}${target.database === null ? "" : `, ${target.database}`}, TLS ${target.tls}`,
    `Written       ${out}`,
    "Next          send it to the platform team: `sallyportctl connections credential " +
      `${connection.data} --sealed FILE\`; with \`credential: sealed\` in policy.yaml nothing else is taken`,
  ]);
}

function readPolicy(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new ConfigError(`${file} cannot be read: name the policy with --policy, or the agent's folder with --state`);
  }
}

/** Never over another file: a credential that is in use may be the only copy. */
function write(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: "wx", mode: 0o600 });
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === "EEXIST" ? "is there already" : "cannot be written";
    throw new ConfigError(`${file} ${why}: name another file with --out`);
  }
}
