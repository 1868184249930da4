/**
 * What `systemctl` is on the test's machine: a command of that name on the path, which asks the test to start and to stop the agent,
 * and runs the updater itself as the oneshot that it is. Nothing of the product knows.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { stopChild } from "../../system/processes.ts";

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
  let agent: ChildProcess | undefined;
  const log = openSync(join(folder, "agent.log"), "a");
  const start = (): void => {
    const words = ["--disable-warning=ExperimentalWarning", join(program, "current/app/sallyport.mjs")];
    const run = ["run", "--config", join(state, "agent.yaml"), "--insecure-files"];
    agent = spawn(join(program, "current/node"), [...words, ...run], { env: environment, stdio: ["ignore", log, log] });
  };
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    const running = agent;
    agent = undefined;
    await stopChild(running, signal);
  };
  const server = createServer((request, response) => {
    const words = decodeURIComponent((request.url ?? "").slice(1));
    asked.push(words);
    if (words === "start sallyport.service") start();
    const done = words === "stop sallyport.service" ? stop("SIGTERM") : Promise.resolve();
    void done.then(() => response.end("done"));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const bin = join(folder, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "systemctl"), commandText(port, program), { mode: 0o755 });
  return {
    ...{ bin, asked, start },
    async close() {
      await stop("SIGKILL");
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const commandText = (port: number, program: string): string => `#!${process.execPath}
const { spawnSync } = require("node:child_process");
const words = process.argv.slice(2).filter((word) => !word.startsWith("--")).join(" ");
fetch("http://127.0.0.1:${port}/" + encodeURIComponent(words)).then(async (answer) => {
  await answer.text();
  if (words !== "start sallyport-update.service") return;
  const done = spawnSync("${program}/updater/node", ["${program}/updater/app/updater.mjs"], { stdio: "inherit" });
  process.exitCode = done.status ?? 1;
});
`;
