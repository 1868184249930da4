import { once } from "node:events";
import type { AddressInfo, Server, Socket } from "node:net";
import { z } from "zod";
import { systemClock } from "./broker/clock.ts";
import { forgetfulJournal } from "./broker/journal.ts";
import { createNamespace } from "./broker/namespace.ts";
import { entitiesOf, type OfficialConfig } from "./config/official.ts";
import { openJournalFile } from "./durable/journal-file.ts";
import { ALL_RIGHTS, type SasKey } from "./wire/claims.ts";
import { amend, facets } from "./wire/message.ts";
import { createServer, listen } from "./wire/server.ts";

export type ServiceBusOptions = {
  /** The JSON of Microsoft's emulator, with one namespace. */
  readonly config: OfficialConfig;
  /** 0, the default, takes a free one. */
  readonly port?: number | undefined;
  /** PEM. With it the port speaks TLS only, as in Azure. */
  readonly tls?: { readonly key: string; readonly cert: string } | undefined;
  /** At least one. A key without rights and entity may do everything, as the one that Azure makes for a namespace. */
  readonly keys: readonly SasKey[];
  /** Says whether an Entra token is good. Without it none is. */
  readonly entraToken?: ((jwt: string) => boolean) | undefined;
  /** A file that survives the emulator; its messages are there again at the next start. */
  readonly data?: string | undefined;
};

export type ServiceBus = {
  readonly port: number;
  /** With the first key. Without TLS it says `UseDevelopmentEmulator=true`, which is how the SDK comes to speak plain TCP. */
  readonly connectionString: string;
  /** Ends all connections, then commits and closes the data file. */
  close(): Promise<void>;
};

const sasKey = z.strictObject({
  name: z.string().min(1),
  key: z.string().min(1),
  rights: z
    .array(z.enum(ALL_RIGHTS))
    .min(1)
    .refine((rights) => !rights.includes("Manage") || rights.length === ALL_RIGHTS.length, "Manage includes the others")
    .optional(),
  entity: z.string().min(1).optional(),
});

/** What `startServiceBus` accepts as JSON, that is without a function for Entra tokens. */
export const startOptions = z.strictObject({
  // Checked in full by entitiesOf, which also puts it into the broker's terms.
  config: z.custom<OfficialConfig>((value) => typeof value === "object" && value !== null, "not an object"),
  port: z.int().min(0).max(65_535).optional(),
  tls: z.strictObject({ key: z.string().min(1), cert: z.string().min(1) }).optional(),
  keys: z.array(sasKey).min(1),
  data: z.string().min(1).optional(),
});

/**
 * Starts a Service Bus namespace on 127.0.0.1.
 *
 * @throws z.ZodError when the options or the configuration are wrong, or ask for what is not emulated
 */
export async function startServiceBus(options: ServiceBusOptions): Promise<ServiceBus> {
  const { entraToken, ...json } = options;
  const { config, port = 0, tls, keys, data } = startOptions.parse(json);
  const settings = entitiesOf(config);
  const clock = systemClock();
  const file = data === undefined ? undefined : openJournalFile(data);
  const journal = file?.journal ?? forgetfulJournal;
  const namespace = createNamespace(settings, { clock, journal, saved: file?.saved, amend, facets });
  const server = listen(createServer({ clock, journal, namespace, tokens: { keys, entraToken } }), port, tls);
  const disconnectAll = trackSockets(server);
  await once(server, "listening").catch((error) => {
    file?.close();
    throw error;
  });
  const bound = (server.address() as AddressInfo).port;

  return {
    port: bound,
    connectionString: connectionString(bound, keys[0]!, tls !== undefined),
    async close() {
      const closed = once(server, "close");
      server.close();
      disconnectAll();
      await closed;
      clock.stop();
      file?.close();
    },
  };
}

function connectionString(port: number, { name, key }: SasKey, secure: boolean): string {
  const credential = `SharedAccessKeyName=${name};SharedAccessKey=${key}`;
  return secure
    ? `Endpoint=sb://localhost:${port};${credential}`
    : `Endpoint=sb://127.0.0.1:${port};${credential};UseDevelopmentEmulator=true`;
}

function trackSockets(server: Server): () => void {
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // A TLS handshake may fail before rhea listens.
    socket.on("error", () => {});
  };
  server.on("connection", track);
  server.on("secureConnection", track);
  return () => {
    // With an error, because that is what makes rhea clear its heartbeat timers at once.
    for (const socket of sockets) socket.destroy(new Error("the emulator was closed"));
  };
}
