import { createHmac } from "node:crypto";
import { once } from "node:events";
import type { TestContext } from "node:test";
import rhea, { type Connection, type Sender } from "rhea";
import type { ServiceBus } from "../start.ts";
import type { SasKey } from "../wire/claims.ts";
import { atEnd, KEYS } from "./open.ts";

/** A plain AMQP client, for what the SDK never does. */
export function dial(t: TestContext, { port }: ServiceBus): Connection {
  const connection = rhea.create_container().connect({ host: "127.0.0.1", port, reconnect: false });
  atEnd(t, async () => {
    const closed = once(connection, "connection_close");
    connection.close();
    await closed;
  });
  return connection;
}

/** A plain AMQP link that may send to the entity, and has credit. */
export async function dialWithToken(t: TestContext, bus: ServiceBus, entity: string): Promise<Sender> {
  const connection = dial(t, bus);
  const audience = `sb://127.0.0.1:${bus.port}/${entity}`;
  const replies = connection.open_receiver({ source: "$cbs", target: "me" });
  const requests = connection.open_sender("$cbs");
  await once(requests, "sendable");
  const reply = once(replies, "message");
  requests.send({
    message_id: 1,
    reply_to: "me",
    application_properties: { operation: "put-token", type: "servicebus.windows.net:sastoken", name: audience },
    body: signature(audience, KEYS[0]!, Math.floor(Date.now() / 1000) + 60),
  } as never);
  await reply;
  const link = connection.open_sender(entity);
  await once(link, "sendable");
  return link;
}

/** A shared access signature for a resource. */
export function signature(resource: string, { name, key }: SasKey, expirySeconds: number): string {
  const encoded = encodeURIComponent(resource);
  const hmac = createHmac("sha256", key).update(`${encoded}\n${expirySeconds}`).digest("base64");
  return `SharedAccessSignature sr=${encoded}&sig=${encodeURIComponent(hmac)}&se=${expirySeconds}&skn=${name}`;
}
