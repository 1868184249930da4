import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import { connect } from "./connect.ts";
import { listen } from "./control.ts";
import type { RelayCore, RelayStats } from "./core.ts";
import { makeEntityTable } from "./entities.ts";
import { makeFaultRules } from "./fault-rules.ts";
import { type Faults, makeFaults, type Port } from "./faults.ts";
import { isManagement, manage, removeEntity } from "./management.ts";
import { type EntityOptions, LIMITS, type RelayOptions, withDefaults } from "./options.ts";
import { parseTarget } from "./paths.ts";
import { makeRendezvous } from "./rendezvous.ts";
import { relayRequest } from "./requests.ts";
import { refuse, track } from "./tracking.ts";
import { type Handshake, makeUpgrades } from "./upgrades.ts";

/** An Azure Relay namespace with hybrid connections, on two TLS ports of this machine. */
export type Relay = {
  /** Listeners, senders, HTTP requests and management. */
  readonly controlPort: number;
  /** Where listeners meet senders: another host in Azure, so another port here. */
  readonly rendezvousPort: number;
  readonly faults: Faults;
  stats(): RelayStats;
  putEntity(options: EntityOptions): void;
  /** Closes its listeners and sessions with 1001. False when there was none. */
  removeEntity(path: string): boolean;
  /** Resolves once the entity has a listener online. */
  listening(path: string, signal?: AbortSignal): Promise<void>;
  /** Cuts every connection and frees both ports. */
  stop(): Promise<void>;
};

/** Starts a relay. Throws when a port is taken or an entity's path is empty. */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const settings = withDefaults(options);
  const rules = makeFaultRules();
  const rawSockets = new Map<string, Socket>();
  const arrivals = new EventTarget();
  const core: RelayCore = {
    settings,
    entities: makeEntityTable(settings.entities),
    faultRules: rules,
    upgrades: makeUpgrades(settings.maxMessageBytes),
    rendezvous: makeRendezvous(),
    sessions: new Set(),
    counted: {
      listenersTotal: 0,
      sessionsTotal: 0,
      requestsTotal: 0,
      bytesToListener: 0,
      bytesToSender: 0,
      messagesToListener: 0,
      messagesToSender: 0,
      heldBytes: 0,
    },
    rendezvousOrigin: () => `wss://${settings.rendezvousHost}:${ports.rendezvous}`,
    reset: (socket) => resetConnection(socket, rawSockets),
    listenerCame: () => void arrivals.dispatchEvent(new Event("listener")),
  };
  const servers: Record<Port, Server> = {
    control: makeServer(core, rawSockets, atControl, atControlRequest),
    rendezvous: makeServer(
      core,
      rawSockets,
      atRendezvous,
      (_core, _request, response) => void response.writeHead(404).end(),
    ),
  };
  const ports = { control: settings.controlPort ?? 0, rendezvous: settings.rendezvousPort ?? 0 };
  for (const port of ["control", "rendezvous"] as const) ports[port] = await listenOn(servers[port], ports[port]);

  async function refuseConnections(port: Port, refuse: boolean): Promise<void> {
    const server = servers[port];
    if (refuse && server.listening) server.close();
    else if (!refuse && !server.listening) await listenOn(server, ports[port]);
  }

  const faults = makeFaults(core, rules, refuseConnections);
  return {
    controlPort: ports.control,
    rendezvousPort: ports.rendezvous,
    faults,
    stats: () => ({
      ...core.counted,
      listeners: core.entities.all().reduce((sum, { listeners }) => sum + listeners.size, 0),
      sessionsOpen: core.sessions.size,
      waiting: core.rendezvous.waiting(),
    }),
    putEntity: (entity) => void core.entities.put(entity),
    removeEntity: (path) => removeEntity(core, path),
    async listening(path, signal) {
      while ((core.entities.get(path)?.listeners.size ?? 0) === 0)
        await once(arrivals, "listener", { ...(signal ? { signal } : {}) });
    },
    async stop() {
      faults.clear();
      core.rendezvous.cancelAll();
      const closed = Object.values(servers)
        .filter(({ listening }) => listening)
        .map((server) => once(server, "close"));
      for (const server of Object.values(servers)) server.close();
      for (const socket of rawSockets.values()) socket.destroy();
      await Promise.all(closed);
    },
  };
}

type OnUpgrade = (core: RelayCore, handshake: Handshake) => Promise<void> | void;
type OnRequest = (core: RelayCore, request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

function makeServer(
  core: RelayCore,
  rawSockets: Map<string, Socket>,
  onUpgrade: OnUpgrade,
  onRequest: OnRequest,
): Server {
  const { key, cert } = core.settings.tls;
  const server = createServer({ key, cert, minVersion: "TLSv1.2", maxHeaderSize: LIMITS.headerBytes });
  server.on("connection", (socket: Socket) => {
    const ends = endsOf(socket);
    rawSockets.set(ends, socket);
    socket.on("close", () => rawSockets.delete(ends));
  });
  server.on("upgrade", async (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    try {
      await onUpgrade(core, { request, socket, head });
    } catch (error) {
      refuse(socket, 500, track(`Internal error: ${error}`, "relay").text);
    }
  });
  server.on("request", async (request, response) => {
    try {
      await onRequest(core, request, response);
    } catch (error) {
      // A sender that left while its body was read, or a fault of this emulator: there is nobody, or nothing better, to tell.
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end(JSON.stringify({ error: { code: "InternalError", message: String(error) } }));
    }
  });
  return server;
}

async function listenOn(server: Server, port: number): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening"); // rejects on "error", such as a port in use
  return (server.address() as AddressInfo).port;
}

async function atControl(core: RelayCore, handshake: Handshake): Promise<void> {
  const target = parseTarget(handshake.request.url ?? "/");
  const path = target?.segments.slice(1) ?? [];
  const refuseWith = (status: number, reason: string) =>
    refuse(handshake.socket, status, track(reason, path.join("/")).text);
  if (!target) return refuseWith(400, "The address is malformed");
  if (target.segments[0] !== "$hc") return refuseWith(404, "Endpoint does not exist");
  const action = target.service.get("sb-hc-action");
  if (action === "listen") return listen(core, handshake, target, path);
  if (action === "connect") return connect(core, handshake, target, path);
  return refuseWith(400, "The parameter sb-hc-action must be listen or connect");
}

function atControlRequest(core: RelayCore, request: IncomingMessage, response: ServerResponse): Promise<void> {
  return isManagement(request.url ?? "/") ? manage(core, request, response) : relayRequest(core, request, response);
}

function atRendezvous(core: RelayCore, handshake: Handshake): void {
  const target = parseTarget(handshake.request.url ?? "/");
  if (target?.segments[0] === "$hc") core.rendezvous.meet(core, handshake, target);
  else refuse(handshake.socket, 404, track("Endpoint does not exist", "relay").text);
}

/** Only the TCP socket under TLS can send RST; it is found by the two ports, which name a connection on loopback. */
function resetConnection(socket: WebSocket | Duplex, rawSockets: ReadonlyMap<string, Socket>): void {
  const under = socket instanceof WebSocket ? (socket as unknown as { _socket: Socket })._socket : (socket as Socket);
  rawSockets.get(endsOf(under))?.resetAndDestroy();
}

function endsOf({ localPort, remotePort }: Socket): string {
  return `${localPort} ${remotePort}`;
}
