/** One function host with its storage, queue and relay, and nobody enrolled: what the fleet comes to. */
import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildCloud } from "../../build/cloud.ts";
import { startFunctionsHost } from "../../emulators/functions-host/start.ts";
import { startRelay } from "../../emulators/relay/start.ts";
import { makeTokenChecks } from "../../emulators/relay/token-checks.ts";
import { startServiceBus } from "../../emulators/servicebus/start.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import { type Api, connectApi } from "../../stack/api.ts";
import { appSettings, makeIdentity, prepareStorage, QUEUE_CONFIG, rolesOf } from "../../stack/app.ts";
import type { Cleanup } from "../../stack/cleanup.ts";
import { type CountedStorage, startStorage } from "./storage.ts";

export interface Platform {
  readonly api: Api;
  readonly origin: string;
  readonly caFile: string;
  /** Where agents meet senders, as `host:port`. */
  readonly rendezvousHost: string;
  /** The function host's process. */
  readonly pid: number;
  readonly storage: CountedStorage;
}

/** From the bundle, as Azure runs it. What was started is in `cleanup`. */
export async function startPlatform(
  folder: string,
  settings: Readonly<Record<string, string>>,
  cleanup: Cleanup,
): Promise<Platform> {
  const inFolder = (name: string): string => join(folder, name);
  mkdirSync(folder, { recursive: true });
  const { folder: app } = await buildCloud(inFolder("app"));
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const caFile = inFolder("ca.pem");
  writeFileSync(caFile, authority.caPem);
  const identity = makeIdentity();
  const listenKey = randomBytes(32).toString("base64");
  const keys = [{ name: "app", key: randomBytes(32).toString("base64") }];
  const storage = await cleanup.starting(startStorage(inFolder("storage")), (it) => it.close());
  const queue = await cleanup.starting(startServiceBus({ config: QUEUE_CONFIG, keys }), (it) => it.close());
  const namespaceRules = [{ name: "listen", primaryKey: listenKey, rights: ["Listen" as const] }];
  const checks = await makeTokenChecks(rolesOf(identity));
  const relay = await cleanup.starting(startRelay({ tls, ...checks, namespaceRules, entities: [] }), (it) => it.stop());
  await prepareStorage(storage.direct);
  const adminKey = `sp_admin_${randomBytes(32).toString("base64url")}`;
  const namespace = `localhost:${relay.controlPort}`;
  const services = { caFile, adminKey, storage: storage.connectionString, queue: queue.connectionString };
  const env = await appSettings(folder, { ...services, dialAt: namespace, listenAt: namespace, listenKey });
  const host = await cleanup.starting(
    startFunctionsHost({
      ...{ app, tls, identity, env: { ...env, ...settings } },
      onLine: (line) => appendFileSync(inFolder("function-app.log"), `${line}\n`, { mode: 0o600 }),
    }),
    (it) => it.close(),
  );
  return {
    api: connectApi(host.url, adminKey, authority.caPem),
    origin: host.url,
    caFile,
    rendezvousHost: `localhost:${relay.rendezvousPort}`,
    pid: host.pid,
    storage,
  };
}
