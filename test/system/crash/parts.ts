/** Parts of a stack that can be killed and started again where they were: same ports, same files. */
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { QUEUE_CONFIG } from "../../stack/app.ts";
import { type Child, startChild } from "../../stack/children.ts";
import type { Cleanup } from "../../stack/cleanup.ts";

export interface Part {
  /** The process of the last start. */
  readonly pid: number;
  /** Kills it (SIGKILL), waits for its end, and starts it again. Calls come one after the other. */
  crash(): Promise<void>;
}

/** Starts a part and keeps to what `start` gives; `cleanup` ends the last one. */
export async function restartable(start: () => Promise<Child>, cleanup: Cleanup): Promise<Part> {
  let child = await start();
  let queue: Promise<void> = Promise.resolve();
  let ending = false;
  async function crash(): Promise<void> {
    if (ending) return;
    child.process.kill("SIGKILL");
    await child.ended.catch(() => undefined);
    child = await start();
  }
  const part: Part = {
    get pid() {
      return child.process.pid!;
    },
    crash() {
      queue = queue.then(crash);
      return queue;
    },
  };
  return cleanup.add(part, async () => {
    ending = true;
    await queue.catch(() => undefined);
    await child.close();
  });
}

const BUS = fileURLToPath(new URL("../../emulators/servicebus/main.ts", import.meta.url));
const RELAY = fileURLToPath(new URL("../../emulators/relay/main.ts", import.meta.url));

export interface Queue extends Part {
  readonly connectionString: string;
  readonly port: number;
}

/** The Service Bus emulator on a file, which survives it. */
export async function startQueue(dataFile: string, logFile: string, cleanup: Cleanup): Promise<Queue> {
  const keys = [{ name: "app", key: randomBytes(32).toString("base64") }];
  let ready: { port: number; connectionString: string } | undefined;
  const part = await restartable(async () => {
    const input = JSON.stringify({ config: QUEUE_CONFIG, keys, data: dataFile, port: ready?.port ?? 0 });
    const child = startChild({ name: "Service Bus emulator", args: [BUS], input, logFile });
    ready = z.object({ port: z.int(), connectionString: z.string() }).parse(await child.ready);
    return child;
  }, cleanup);
  const { port, connectionString } = ready!;
  return Object.assign(part, { port, connectionString });
}

export interface RelayPart extends Part {
  readonly controlPort: number;
  readonly rendezvousPort: number;
}

/** The relay emulator. A restarted one knows the hybrid connections that `paths` names by then, as the service would. */
export async function startRelay(
  options: { readonly [name: string]: unknown },
  paths: () => readonly string[],
  logFile: string,
  cleanup: Cleanup,
): Promise<RelayPart> {
  let ports = { controlPort: 0, rendezvousPort: 0 };
  const part = await restartable(async () => {
    const entities = paths().map((path) => ({ path }));
    const input = JSON.stringify({ ...options, ...ports, entities });
    const child = startChild({ name: "relay emulator", args: [RELAY], input, logFile });
    ports = z.object({ controlPort: z.int(), rendezvousPort: z.int() }).parse(await child.ready);
    return child;
  }, cleanup);
  return Object.assign(part, ports);
}
