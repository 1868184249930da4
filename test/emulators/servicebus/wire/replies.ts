import type { EventContext, Message, Receiver, Sender, Session } from "rhea";
import rhea from "rhea";
import { offerCredit } from "./incoming.ts";
import { accepted, type Refusal } from "./refusal.ts";
import { answerDelivery, RAW_FORMAT } from "./rhea-server.ts";

export type Request = {
  readonly operation: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly body: unknown;
};

/** Status codes are those of HTTP, in AMQP Management's manner. */
export type Reply = {
  readonly status: number;
  readonly description: string;
  readonly refusal?: Refusal;
  readonly body?: unknown;
};

const CREDIT = 100;

/** Serves requests of a pair of links as `$cbs` and `$management` use them: one in, one out, on one session. */
export function serveRequests(receiver: Receiver, answer: (request: Request) => Promise<Reply>): void {
  offerCredit(receiver, CREDIT);
  receiver.on("message", (context: EventContext) => {
    const request = decodeRequest(context);
    if (context.delivery) answerDelivery(context.delivery, accepted());
    offerCredit(receiver, CREDIT);
    if (!request) return;
    const { application_properties: properties = {}, body } = request;
    void answer({ operation: String(properties.operation), properties, body })
      .catch((error): Reply => ({ status: 500, description: String(error) }))
      .then((reply) => send(receiver.session, request, reply));
  });
}

function decodeRequest(context: EventContext): Message | undefined {
  const { message, format } = context as unknown as { message: Buffer; format: number };
  if (format !== RAW_FORMAT) return undefined;
  try {
    return rhea.message.decode(message) as unknown as Message;
  } catch {
    // There is no correlation id to answer to.
    return undefined;
  }
}

function send(session: Session, request: Message, { status, description, refusal, body }: Reply): void {
  const link = session.find_sender((sender: Sender) => replyAddress(sender) === request.reply_to);
  if (!link?.is_open()) return;
  const { types } = rhea;
  const properties: Record<string, unknown> = { statusCode: types.wrap_int(status), statusDescription: description };
  if (refusal) properties.errorCondition = types.wrap_symbol(refusal.condition);
  link.send({
    correlation_id: request.message_id as string,
    application_properties: properties,
    body: body ?? null,
  } as Message);
}

// $management names its replies by the target address, $cbs by the link.
function replyAddress(sender: Sender): string {
  return sender.target?.address || sender.name;
}
