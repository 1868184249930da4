/** Two desks in one folder: the platform team's and the customer's, with both command lines by their names. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { ROOT } from "../../build/root.ts";
import type { Stack } from "../../stack/start.ts";
import { agentEntry } from "../agent/entry.ts";
import { standing } from "../transcripts/names.ts";

/** What the document calls it, and what it is here. */
export type Places = readonly (readonly [document: string, here: string])[];

export interface Desk {
  readonly work: string;
  /** Runs a command as the document has it, and gives what it prints as the document would have it. */
  run(command: string): Promise<string>;
  /** Ends what was started with `&`. */
  close(): Promise<void>;
}

export function openDesk(folder: string, stack: Stack, places: Places): Desk {
  const [work, state, bin] = [join(folder, "work"), join(folder, "state"), join(folder, "bin")];
  for (const each of [work, bin]) mkdirSync(each);
  const node = `exec '${process.execPath}' --disable-warning=ExperimentalWarning`;
  // Enrolment needs to be told of this machine's authority and gateway, which Azure's has not.
  const here = `--ca '${join(stack.folder, "ca.pem")}' --rendezvous-host localhost:${stack.relay.rendezvousPort}`;
  const tools = {
    sallyport: [
      `[ "$1" = enroll ] && set -- "$@" ${here}`,
      // As if the folder were where an installation has it.
      `set -- "$@" --state '${state}'`,
      `${node} '${agentEntry()}' "$@"`,
    ],
    sallyportctl: [`${node} '${join(ROOT, "cloud/src/cli/main.ts")}' "$@"`],
  };
  for (const [name, lines] of Object.entries(tools)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${lines.join("\n")}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  const all: Places = [
    ["/var/lib/sallyport", state],
    ["~/.config/sallyport", join(folder, "config/sallyport")],
    ...places,
  ];
  const env = {
    PATH: `${bin}:${process.env.PATH}`,
    XDG_CONFIG_HOME: join(folder, "config"),
    NODE_EXTRA_CA_CERTS: join(stack.folder, "ca.pem"),
  };
  const background: ChildProcess[] = [];
  return {
    work,
    async run(command) {
      const line = all.reduce((changed, [document, real]) => changed.replaceAll(document, real), command);
      const goesOn = line.endsWith("&");
      const shell = goesOn ? `exec ${line.slice(0, -1)}` : `{ ${line}\n} 2>&1`;
      const child = spawn("bash", ["-c", shell], { cwd: work, env, stdio: ["ignore", "pipe", "inherit"] });
      if (goesOn) {
        background.push(child);
        return "";
      }
      const printed = await text(child.stdout!);
      return all
        .reduce((changed, [document, real]) => changed.replaceAll(standing(real), document), printed)
        .replaceAll(" --state /var/lib/sallyport", "");
    },
    async close() {
      for (const child of background.filter(({ exitCode }) => exitCode === null)) {
        child.kill("SIGTERM");
        await once(child, "exit");
      }
    },
  };
}
