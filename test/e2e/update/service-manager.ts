/** A service manager for an installation below the test's folder: it starts and stops the agent, and runs the updater as the oneshot that it is. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stopChild } from "../../system/processes.ts";
import { answerSystemctl, systemctlText } from "../../system/systemctl.ts";

export interface ServiceManager {
  /** A folder for the front of PATH. */
  readonly bin: string;
  readonly asked: readonly string[];
  start(): void;
  close(): Promise<void>;
}

export interface Managed {
  readonly folder: string;
  /** `…/opt/sallyport` */
  readonly program: string;
  readonly state: string;
  readonly environment: Readonly<Record<string, string>>;
}

export async function startServiceManager({ folder, program, state, environment }: Managed): Promise<ServiceManager> {
  const asked: string[] = [];
  const bin = join(folder, "bin");
  let agent: ChildProcess | undefined;
  const log = openSync(join(folder, "agent.log"), "a");
  const stdio = ["ignore", log, log] as const;
  const start = (): void => {
    const words = ["--disable-warning=ExperimentalWarning", join(program, "current/app/sallyport.mjs")];
    const run = ["run", "--config", join(state, "agent.yaml"), "--insecure-files"];
    agent = spawn(join(program, "current/node"), [...words, ...run], { env: environment, stdio: [...stdio] });
  };
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    const running = agent;
    agent = undefined;
    await stopChild(running, signal);
  };
  const update = async (): Promise<number> => {
    const env = { ...environment, PATH: `${bin}:${environment.PATH ?? ""}` };
    const args = [join(program, "updater/app/updater.mjs")];
    const updater = spawn(join(program, "updater/node"), args, { env, stdio: [...stdio] });
    const [code] = (await once(updater, "exit")) as [number | null];
    return code ?? 1;
  };
  const socket = join(folder, "systemd");
  const listening = await answerSystemctl(socket, async (given) => {
    const words = given.filter((word) => !word.startsWith("--")).join(" ");
    asked.push(words);
    if (words === "start sallyport.service") start();
    if (words === "stop sallyport.service") await stop("SIGTERM");
    return { code: words === "start sallyport-update.service" ? await update() : 0 };
  });
  mkdirSync(bin);
  writeFileSync(join(bin, "systemctl"), systemctlText(process.execPath, socket), { mode: 0o755 });
  return {
    ...{ bin, asked, start },
    async close() {
      await stop("SIGKILL");
      await listening.close();
    },
  };
}
