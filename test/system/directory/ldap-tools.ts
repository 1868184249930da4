/** OpenLDAP's clients: they change and read the directory with no code of ours. */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { ADMINISTRATOR, type Controller, DC } from "./controller.ts";

/** By address: they hold a certificate for `localhost` against the machine's own name. */
const URL = "ldaps://127.0.0.1";

async function run(
  controller: Pick<Controller, "folder">,
  program: string,
  args: readonly string[],
  input: string,
): Promise<string> {
  // The authority's certificate by a variable, the way that these clients take it.
  const env = { PATH: "/usr/bin:/bin", LDAPTLS_CACERT: `${controller.folder}/ca.crt` };
  const who = ["-x", "-H", URL, "-D", `CN=Administrator,CN=Users,${DC}`, "-w", ADMINISTRATOR.password];
  const child = spawn(program, [...who, ...args], { env, stdio: "pipe" });
  // One that ends before it has read says by its code why.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const [out, error, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((resolve) => child.once("close", resolve)),
  ]);
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${error.slice(-1000)}`);
  return out;
}

/** Lets a request find what was deleted [MS-ADTS 3.1.1.3.4.1.14]. */
export const SHOW_DELETED = "1.2.840.113556.1.4.417";

/**
 * @param records LDIF, each with its `changetype`
 * @param controls OIDs, sent with each as critical
 * @throws Error where one of them is refused
 */
export async function ldapModify(
  controller: Pick<Controller, "folder">,
  records: readonly string[],
  controls: readonly string[] = [],
): Promise<void> {
  const args = controls.flatMap((oid) => ["-e", `!${oid}`]);
  await run(controller, "ldapmodify", args, records.join("\n"));
}

/** LDIF of a search, its lines not folded. */
export const ldapSearch = (controller: Pick<Controller, "folder">, args: readonly string[]): Promise<string> =>
  run(controller, "ldapsearch", ["-LLL", "-o", "ldif-wrap=no", "-E", "pr=500/noprompt", ...args], "");
