/** Requests by hand without an agent: sessions that tests end, bells that are kept, time that passes when a test says so. */
import { randomBytes } from "node:crypto";
import type { ContainerClient } from "@azure/storage-blob";
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import { type NewRequest, newRequest } from "@sallyport/shared/schema/api-requests.ts";
import type { OpenSession, SessionOutcome } from "../sessions/session.ts";
import { connectionStore } from "../store/connections.ts";
import { jtiStore } from "../store/jtis.ts";
import { repeatStore } from "../store/repeats.ts";
import { requestStore } from "../store/requests.ts";
import { type TestAzurite, testAzurite } from "../store/test-azurite.ts";
import { type Faults, faultyNetwork } from "../store/test-faults.ts";
import { DEFAULT_REQUEST_SETTINGS, type RequestBell, type RequestDeps } from "./deps.ts";
import type { Caller } from "./make.ts";
import { requestPlaces } from "./places.ts";
import { showRequest } from "./views.ts";

export const azurite: TestAzurite = await testAzurite();
const tables = Object.fromEntries(
  await Promise.all(
    ["requests", "connections", "jtis", "repeats"].map(async (name) => {
      const table = azurite.connectTable(name);
      await table.createTable();
      return [name, table] as const;
    }),
  ),
);
export const store = {
  requests: requestStore(tables.requests!),
  connections: connectionStore(tables.connections!),
  jtis: jtiStore(tables.jtis!),
  repeats: repeatStore(tables.repeats!),
};
export const blobs: ContainerClient = azurite.blobService.getContainerClient("sallyport");
await blobs.create();
await store.connections.insert("acme", "erp", {
  ...{ site: "plant", kind: "mssql", createdAt: new Date(0).toISOString() },
  ...{ credentialVersion: null, credentialAt: null },
});

export const DONE: SessionOutcome = {
  ok: true,
  rows: 0,
  bytes: 0,
  batches: 0,
  position: null,
  complete: true,
  executedMs: 1,
};
export const refusal = (code: ErrorCode): Extract<SessionOutcome, { ok: false }> => ({
  ok: false,
  code,
  message: "No.",
  detail: {},
});

export interface Rig {
  readonly deps: RequestDeps;
  readonly rung: (RequestBell & { readonly atMs: number })[];
  readonly stopping: AbortController;
  pass(seconds: number): void;
  nowMs(): number;
}

export interface Faulty extends Pick<RequestDeps, "store" | "blobs"> {
  readonly faults: Faults;
}

/** The same tables and blobs, behind a network that loses what a test wants lost. */
export function faulty(): Faulty {
  const faults = faultyNetwork();
  const options = { httpClient: faults.httpClient, retryOptions: { maxRetries: 0 } };
  return {
    faults,
    store: { ...store, requests: requestStore(azurite.connectTable("requests", options)) },
    blobs: azurite.connectBlobs(faults.blobPolicy).getContainerClient(blobs.containerName),
  };
}

/** `over`: what is to be another's, such as a store that fails. */
export function rig(openSession: OpenSession, over: Partial<RequestDeps> = {}): Rig {
  let nowMs = Date.parse("2026-01-01T00:00:00Z");
  const rung: (RequestBell & { atMs: number })[] = [];
  const stopping = new AbortController();
  const deps: RequestDeps = {
    ...{ store, blobs, openSession, stopping: stopping.signal, settings: DEFAULT_REQUEST_SETTINGS },
    links: async (path) => `https://blobs.test/${path}`,
    ring: async (bell, atMs) => void rung.push({ ...bell, atMs }),
    now: () => new Date(nowMs),
    places: requestPlaces(),
    random: randomBytes,
    log: () => undefined,
    ...over,
  };
  return {
    deps,
    rung,
    stopping,
    pass: (seconds: number) => {
      nowMs += seconds * 1000;
    },
    nowMs: () => nowMs,
  };
}

export const by: Caller = { tenant: "acme", caller: "key:k", repeat: null };
export const read = (more: object = {}): NewRequest =>
  newRequest.parse({ connection: "erp", operation: { op: "sql.schema" }, waitSeconds: 0, ...more });
export const call: NewRequest = newRequest.parse({
  ...{ connection: "erp", waitSeconds: 0 },
  operation: { op: "sql.call", procedure: "dbo.Close", effect: "write" },
});
/** A change that its call waits for. */
export const change: NewRequest = { ...call, waitSeconds: 30 };
/** As the guard gives it with an `Idempotency-Key`. */
export const repeatable = (): Caller & { readonly repeat: string } => ({
  ...by,
  repeat: randomBytes(16).toString("hex"),
});
export const idOf = (reply: { body: string }): string => (JSON.parse(reply.body) as { id: string }).id;
export const stateOf = async (deps: RequestDeps, id: string): Promise<(string | null)[]> => {
  const shown = JSON.parse((await showRequest(deps, "acme", id)).body) as { state: string; error: { code: string } };
  return [shown.state, shown.error?.code ?? null];
};
export const askedBlobs = async (id: string): Promise<(string | undefined)[]> =>
  (await Array.fromAsync(blobs.listBlobsFlat({ prefix: `acme/requests/${id}/` }))).map(
    ({ name }) => name.split("/")[3],
  );

export interface Slow {
  readonly open: OpenSession;
  /** Settles with the first session's beginning. */
  readonly begun: Promise<void>;
  end(outcome: SessionOutcome): void;
  sessions(): number;
}

/** A session that ends when the test says so. */
export function slow(): Slow {
  const { promise, resolve } = Promise.withResolvers<SessionOutcome>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  let sessions = 0;
  const open: OpenSession = () => {
    sessions += 1;
    begin();
    return promise;
  };
  return { open, begun, end: resolve, sessions: () => sessions };
}
