import type { Server } from "node:net";
import type { Connection, Container, EventContext, Receiver, Sender, Session } from "rhea";
import rhea from "rhea";
import type { Clock } from "../broker/clock.ts";
import type { Journal } from "../broker/journal.ts";
import type { Entity, Namespace } from "../broker/namespace.ts";
import { type Claims, createClaims, type Right, type TokenRules, verifyToken } from "./claims.ts";
import { acceptMessages, MAX_MESSAGE_BYTES } from "./incoming.ts";
import { manage, rightsFor } from "./management.ts";
import { deliverMessages } from "./outgoing.ts";
import { type Refusal, refusals } from "./refusal.ts";
import { type Reply, type Request, serveRequests } from "./replies.ts";
import { prepareSession } from "./rhea-server.ts";

export type ServerWorld = {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly namespace: Namespace;
  readonly tokens: TokenRules;
};

const CBS = "$cbs";
const MANAGEMENT_SUFFIX = "/$management";

/** Options of rhea under which it leaves every decision to us. */
const CONNECTION_OPTIONS = {
  autoaccept: false,
  autosettle: false,
  credit_window: 0,
  treat_modified_as_released: false,
  // A disposition and the reply after it are two small writes; Nagle's algorithm holds the second for 40 ms.
  tcp_no_delay: true,
  // A message that is held for long keeps all later deliveries of its link in this buffer.
  session_buffer_size: { incoming: 2048, outgoing: 2 ** 16 },
} as const;

/**
 * The AMQP side of the broker: which links a client may attach, and to what they lead. Has no
 * sockets until `listen`.
 */
export function createServer(world: ServerWorld): Container {
  const container = rhea.create_container({ id: "sallyport-servicebus" });
  // ANONYMOUS is what the SDK uses. The others are offered because Azure does; tokens are checked in $cbs.
  container.sasl_server_mechanisms.enable_anonymous();
  container.sasl_server_mechanisms.enable_plain(() => true);
  container.sasl_server_mechanisms.MSSBCBS = () => ({ start() {}, outcome: true });

  const perConnection = new WeakMap<Connection, Claims>();
  const claimsOf = (connection: Connection) => {
    const claims = perConnection.get(connection) ?? createClaims();
    perConnection.set(connection, claims);
    return claims;
  };
  // Also those of connections that went without a goodbye.
  const stops = new Map<Sender, () => void>();
  const stopWhere = (concerns: (sender: Sender) => boolean) => {
    for (const [sender, stop] of stops) {
      if (!concerns(sender)) continue;
      stop();
      stops.delete(sender);
    }
  };

  container.on("session_open", ({ session }: { session: Session }) => prepareSession(session));
  container.on("receiver_open", (context: EventContext) =>
    openReceiver(context.receiver!, claimsOf(context.connection), world),
  );
  container.on("sender_open", (context: EventContext) => {
    const sender = context.sender!;
    const stop = openSender(sender, claimsOf(context.connection), world);
    if (stop) stops.set(sender, stop);
  });
  container.on("sender_close", ({ sender }: EventContext) => stopWhere((each) => each === sender));
  container.on("session_close", ({ session }: EventContext) => stopWhere((each) => each.session === session));
  const connectionGone = ({ connection }: EventContext) => stopWhere((each) => each.connection === connection);
  container.on("connection_close", connectionGone);
  container.on("disconnected", connectionGone);
  // A peer that breaks the protocol has its connection ended by rhea; without these listeners it would end us.
  container.on("error", () => {});
  container.on("protocol_error", () => {});
  container.on("connection_error", () => {});
  return container;
}

/** Listens on 127.0.0.1 only. Port 0 takes a free one; the answer emits "listening". */
export function listen(container: Container, port: number, tls: { key: string; cert: string } | undefined): Server {
  const address = { ...CONNECTION_OPTIONS, host: "127.0.0.1", port };
  return tls ? container.listen({ ...address, ...tls, transport: "tls" }) : container.listen(address);
}

/** The client sends here. */
function openReceiver(receiver: Receiver, claims: Claims, world: ServerWorld): void {
  const { namespace, journal, clock } = world;
  const address = receiver.target?.address ?? "";
  receiver.set_target({ address });
  if (receiver.source) receiver.set_source(receiver.source);
  (receiver as unknown as { local: { attach: { max_message_size: number } } }).local.attach.max_message_size =
    MAX_MESSAGE_BYTES;
  if (address === CBS) {
    serveRequests(receiver, (request) => Promise.resolve(putToken(request, claims, world)));
    return;
  }
  const entity = findEntity(address, "Send", claims, world);
  if ("condition" in entity) receiver.close(entity);
  else if (isManagement(address)) {
    serveRequests(receiver, (request) => {
      const rights = rightsFor(request.operation);
      if (claims.cover(address, rights, clock.now())) return manage(entity, journal, request);
      return Promise.resolve(unauthorized(address, rights));
    });
  } else if (entity.inlet) acceptMessages(receiver, entity.inlet, journal);
  else receiver.close(refusals.notAllowed(`Nothing can be sent to '${namespace.find(address)?.path}'.`));
}

/** The client receives here. */
function openSender(sender: Sender, claims: Claims, world: ServerWorld): (() => void) | undefined {
  const address = sender.source?.address ?? "";
  const { attach } = (sender as unknown as { local: { attach: { snd_settle_mode: number; rcv_settle_mode: number } } })
    .local;
  sender.set_source({ address });
  if (sender.target) sender.set_target(sender.target);
  if (address === CBS) {
    attach.snd_settle_mode = 1;
    return undefined;
  }
  const entity = findEntity(address, "Listen", claims, world);
  if ("condition" in entity) {
    sender.close(entity);
    return undefined;
  }
  if (isManagement(address)) {
    attach.snd_settle_mode = 1;
    return undefined;
  }
  if (!entity.queue) {
    sender.close(refusals.notAllowed(`'${entity.path}' is a topic: receive from one of its subscriptions.`));
    return undefined;
  }
  attach.snd_settle_mode = sender.snd_settle_mode;
  attach.rcv_settle_mode = sender.rcv_settle_mode;
  return deliverMessages(sender, entity.queue, world.journal);
}

function findEntity(
  address: string,
  right: Right,
  claims: Claims,
  { namespace, clock }: ServerWorld,
): Entity | Refusal {
  // Both kinds of operations go to $management; what each needs is looked at when it comes.
  const rights: readonly Right[] = isManagement(address) ? ["Send", "Listen"] : [right];
  if (!claims.cover(address, rights, clock.now())) return refusals.unauthorized(address, rights);
  const path = isManagement(address) ? address.slice(0, -MANAGEMENT_SUFFIX.length) : address;
  return namespace.find(path) ?? refusals.notFound(path);
}

function isManagement(address: string): boolean {
  return address.toLowerCase().endsWith(MANAGEMENT_SUFFIX);
}

function putToken({ operation, properties, body }: Request, claims: Claims, { tokens, clock }: ServerWorld): Reply {
  if (operation !== "put-token") return { status: 501, description: `$cbs knows no ${operation}.` };
  const audience = String(properties.name ?? "");
  const token = { audience, type: String(properties.type ?? ""), text: String(body ?? "") };
  const grant = verifyToken(token, tokens, clock.now());
  if (!grant) {
    const description = `Unauthorized. The token for '${audience}' is invalid, has expired, or is for something else.`;
    return { status: 401, description, refusal: { condition: "amqp:unauthorized-access", description } };
  }
  claims.grant(audience, grant);
  return { status: 202, description: "Accepted" };
}

function unauthorized(address: string, rights: readonly Right[]): Reply {
  const refusal = refusals.unauthorized(address, rights);
  return { status: 401, description: refusal.description, refusal };
}
