import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { EntityTable } from "./entities.ts";
import type { FaultRules } from "./fault-rules.ts";
import type { RelaySettings } from "./options.ts";
import type { Rendezvous } from "./rendezvous.ts";
import type { Session } from "./session.ts";
import type { Upgrades } from "./upgrades.ts";

/** Counts since the start; `open` ones are now. Bytes are those of messages, without framing. */
export type RelayStats = {
  listeners: number;
  listenersTotal: number;
  sessionsOpen: number;
  sessionsTotal: number;
  /** Senders waiting for a listener to accept. */
  waiting: number;
  requestsTotal: number;
  bytesToListener: number;
  bytesToSender: number;
  messagesToListener: number;
  messagesToSender: number;
  /** Bytes of messages held in the relay now, both directions of all sessions. */
  heldBytes: number;
};

/** What the relay's parts share. */
export type RelayCore = {
  readonly settings: RelaySettings;
  readonly entities: EntityTable;
  readonly faultRules: FaultRules;
  readonly upgrades: Upgrades;
  readonly rendezvous: Rendezvous;
  readonly sessions: Set<Session>;
  readonly counted: Omit<RelayStats, "listeners" | "sessionsOpen" | "waiting">;
  /** `wss://host:port` of the second port. */
  rendezvousOrigin(): string;
  /** Resets (RST) the TCP connection under a WebSocket or a TLS socket. */
  reset(socket: WebSocket | Duplex): void;
  /** Told of every listener that came online. */
  listenerCame(path: string): void;
};
