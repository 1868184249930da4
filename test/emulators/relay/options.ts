/** What the relay is told at start, and the values that Azure fixes (relay-hybrid-connections-protocol, relay-faq). */

export type Right = "Listen" | "Send" | "Manage";

/** A shared access rule. Both keys verify; a key is used as UTF-8 text, not as the base64 it looks like. */
export type AuthorizationRule = {
  readonly name: string;
  readonly primaryKey: string;
  readonly secondaryKey?: string | undefined;
  readonly rights: readonly Right[];
};

export type EntityOptions = {
  /** The hybrid connection's name; may hold slashes. Compared without regard to case, as in Azure. */
  readonly path: string;
  readonly rules?: readonly AuthorizationRule[] | undefined;
  /** False lets senders connect without any token. Default true. */
  readonly requiresClientAuthorization?: boolean | undefined;
  readonly userMetadata?: string | undefined;
};

/** The rights an Entra token's principal holds on the whole namespace; true stands for Owner, which is all of them. */
export type EntraVerdict = readonly Right[] | boolean;

export type RelayTimings = {
  /** How long a listener may take to accept, and a rendezvous address lives. */
  readonly acceptMs: number;
  /** How long a listener may take to answer an HTTP request. */
  readonly requestMs: number;
  /** How often control channels are checked for an expired token. */
  readonly tokenCheckMs: number;
  /** After so long without a byte a load balancer forgets a connection and tells neither end. */
  readonly idleMs: number;
  /** The service ends every control channel after a day. */
  readonly recycleMs: number;
  /** How long a closed session may take to deliver what is still on its way. */
  readonly drainMs: number;
};

export const AZURE_TIMINGS: RelayTimings = {
  acceptMs: 30_000,
  requestMs: 60_000,
  tokenCheckMs: 1_000,
  idleMs: 240_000,
  recycleMs: 24 * 3600_000,
  drainMs: 30_000,
};

export const LIMITS = {
  listenersPerEntity: 25,
  controlBodyBytes: 64 * 1024,
  controlMessageBytes: 128 * 1024,
  headerBytes: 32 * 1024,
} as const;

export type RelayOptions = {
  /** PEM. One certificate serves both ports, so it must hold the control and the rendezvous host's names. */
  readonly tls: { readonly key: string; readonly cert: string };
  /** The namespace's host name, which every token's `sr` must name. Default "localhost". */
  readonly namespace?: string | undefined;
  /** The host name written into rendezvous addresses. Default: the namespace's. */
  readonly rendezvousHost?: string | undefined;
  readonly namespaceRules: readonly AuthorizationRule[];
  readonly entities: readonly EntityOptions[];
  /** 0, the default, takes a free port. Both listen on 127.0.0.1. */
  readonly controlPort?: number | undefined;
  readonly rendezvousPort?: number | undefined;
  readonly timings?: Partial<RelayTimings> | undefined;
  /** Bytes on their way in one direction of one session before the relay stops reading. Default 1 MiB. */
  readonly highWaterBytes?: number | undefined;
  /** The largest data message taken; a larger one closes its socket with 1009. Default 64 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /**
   * What the other side sees when one closes: the codes of Azure's tables (1001 to the listener, 1000 to the sender),
   * or the code and reason that were sent. The documentation claims both; default "documented".
   */
  readonly closeCodes?: "documented" | "relayed" | undefined;
  /** Who a bare JWT in ServiceBusAuthorization speaks for. Without it every such token is refused. */
  readonly entraToken?: ((jwt: string) => EntraVerdict | Promise<EntraVerdict>) | undefined;
  /** Whether a bearer token may call the management routes. Without it every call is refused. */
  readonly managementToken?: ((bearer: string) => boolean | Promise<boolean>) | undefined;
  /** The clock of token expiry, in milliseconds since 1970. */
  readonly now?: (() => number) | undefined;
};

type Defaulted = "namespace" | "rendezvousHost" | "timings" | "highWaterBytes" | "maxMessageBytes" | "closeCodes";
type Decisions = "entraToken" | "managementToken" | "now";

/** The options with every default filled in. */
export type RelaySettings = Omit<RelayOptions, Defaulted | Decisions> & {
  readonly namespace: string;
  readonly rendezvousHost: string;
  readonly timings: RelayTimings;
  readonly highWaterBytes: number;
  readonly maxMessageBytes: number;
  readonly closeCodes: "documented" | "relayed";
  readonly entraToken: (jwt: string) => EntraVerdict | Promise<EntraVerdict>;
  readonly managementToken: (bearer: string) => boolean | Promise<boolean>;
  readonly now: () => number;
};

export function withDefaults(options: RelayOptions): RelaySettings {
  const namespace = options.namespace ?? "localhost";
  return {
    ...options,
    namespace,
    rendezvousHost: options.rendezvousHost ?? namespace,
    timings: waitable({ ...AZURE_TIMINGS, ...options.timings }),
    highWaterBytes: options.highWaterBytes ?? 1024 * 1024,
    maxMessageBytes: options.maxMessageBytes ?? 64 * 1024 * 1024,
    closeCodes: options.closeCodes ?? "documented",
    entraToken: options.entraToken ?? (() => false),
    managementToken: options.managementToken ?? (() => false),
    now: options.now ?? Date.now,
  };
}

/** A timer takes 31 bits and fires at once beyond that; longer, or Infinity, means never as far as an emulator lives. */
function waitable(timings: RelayTimings): RelayTimings {
  const limited = Object.entries(timings).map(([name, ms]) => [name, Math.min(ms, 2 ** 31 - 1)]);
  return Object.fromEntries(limited);
}
