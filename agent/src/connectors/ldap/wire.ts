/**
 * LDAP messages over one socket: cut out of the stream under a cap, wrapped and unwrapped where a SASL security layer is in
 * force, each waited for with a deadline. Nothing here connects anew: a wire that ended stays ended.
 */
import type { Duplex } from "node:stream";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { createFraming, ldapMessageLength, saslBufferLength } from "./framing.ts";

/** Of one message, and so of one entry. */
export const MAX_MESSAGE_BYTES: number = 16 * 2 ** 20;
/** What a server may seal at once is agreed on while signing in; none needs more. */
const MAX_SEALED_BYTES = 16 * 2 ** 20 + 4;

/** What a sign-in may put over everything that follows [RFC 4422 3.7]. Each is given and gives one buffer, without its length. */
export interface SecurityLayer {
  wrap(message: Buffer): Buffer;
  /** @throws SallyportError `directory.integrity` */
  unwrap(sealed: Buffer): Buffer;
}

export interface Wire {
  readonly socket: Duplex;
  send(message: Buffer): void;
  /**
   * The next whole message, as it was under the security layer.
   * @throws SallyportError `directory.timeout`, `directory.protocol`, `directory.integrity`, `connection.lost`; what ended it.
   */
  receive(withinMs: number): Promise<Buffer>;
  /** The same without waiting: undefined where none has come. @throws SallyportError `directory.protocol`, `directory.integrity` */
  received(): Buffer | undefined;
  /**
   * From now on, in both directions. Called once, when nothing is under way. @throws SallyportError `directory.protocol` where
   * more came than the sign-in's last answer: nothing protected it, so it could be anybody's.
   */
  protect(layer: SecurityLayer): void;
  /**
   * Lets go of the socket, for TLS over it. @throws SallyportError `directory.protocol` where the other end sent more than
   * was asked for: under no protection, so it could be anybody's.
   */
  release(): Duplex;
  /** Ends it for this reason, at once: whoever waits for a message is told. */
  end(reason: Error): void;
}

export function createWire(socket: Duplex): Wire {
  const messages = createFraming(ldapMessageLength, MAX_MESSAGE_BYTES);
  const sealed = createFraming(saslBufferLength, MAX_SEALED_BYTES);
  let layer: SecurityLayer | undefined;
  let ended: Error | undefined;
  let wake = (): void => {};
  const lost = (): void => {
    ended ??= new SallyportError("connection.lost", "The directory ended the connection.");
    wake();
  };
  const onReadable = (): void => wake();
  const listeners = { readable: onReadable, end: lost, error: lost, close: lost } as const;
  for (const [event, listener] of Object.entries(listeners)) socket.on(event, listener);

  const take = (chunk: Buffer): void => {
    if (layer === undefined) {
      messages.push(chunk);
      return;
    }
    sealed.push(chunk);
    for (let buffer = sealed.next(); buffer !== undefined; buffer = sealed.next()) {
      messages.push(layer.unwrap(buffer.subarray(4)));
    }
  };
  const end = (reason: Error): void => {
    ended ??= reason;
    wake();
    socket.destroy();
  };
  /** After a message that cannot be read, or an answer that may still come, nothing that follows can be trusted. */
  const failed = (error: Error): Error => {
    end(error);
    return error;
  };
  const here = (): Buffer | undefined => {
    for (;;) {
      const message = messages.next();
      if (message !== undefined) return message;
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return undefined;
      take(chunk);
    }
  };
  const received = (): Buffer | undefined => {
    try {
      return here();
    } catch (error) {
      throw failed(error as Error);
    }
  };
  return {
    socket,
    send(message) {
      if (ended !== undefined) throw ended;
      if (layer === undefined) {
        socket.write(message);
        return;
      }
      const wrapped = layer.wrap(message);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(wrapped.length);
      socket.write(Buffer.concat([length, wrapped]));
    },
    received,
    async receive(withinMs) {
      const untilMs = performance.now() + withinMs;
      for (;;) {
        const message = received();
        if (message !== undefined) return message;
        if (ended !== undefined) throw failed(ended);
        const leftMs = untilMs - performance.now();
        if (leftMs <= 0) {
          throw failed(new SallyportError("directory.timeout", "The directory did not answer in time."));
        }
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, leftMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
    protect(next) {
      // What is still in the socket has to get through the layer; what was taken out already never would.
      if (messages.heldBytes > 0) {
        end(unasked());
        throw unasked();
      }
      layer = next;
    },
    release() {
      if (here() !== undefined || messages.heldBytes > 0) throw unasked();
      for (const [event, listener] of Object.entries(listeners)) socket.off(event, listener);
      return socket;
    },
    end,
  };
}

const unasked = (): SallyportError =>
  new SallyportError("directory.protocol", "The directory sent more than it was asked for.");
