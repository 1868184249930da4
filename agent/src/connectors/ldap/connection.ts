/**
 * One connection to a directory, for one session and one sign-in. Requests go one after the other, each waits for its own
 * answer, and after anything unexpected the connection is over: there is no way to connect anew, so nothing is ever asked anonymously.
 */
import type { Duplex } from "node:stream";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { ANSWER, type Message, type Result, readMessage, readResult } from "./message.ts";
import type { SecurityLayer, Wire } from "./wire.ts";

/** What answers one request, taken as it suits whoever asked. */
export interface Answers {
  /** The last message was taken: the connection may serve the next request. */
  readonly isWhole: boolean;
  /** The next message, waited for. Not called after the last one. @throws as `Connection.answers` */
  next(): Promise<Message>;
  /**
   * The messages up to the last one; or as many as take up so much memory, with what comes next left in the socket.
   * @throws as `Connection.answers`
   */
  take(mostBytes: number): Promise<Message[]>;
}

/** What `ldapts` makes: a request that knows how to write itself once it has a number. */
export interface Request {
  messageId: number;
  write(): Buffer;
}

export interface Connection {
  /** The server's certificate, DER, where TLS is in force: what a channel binding is made of [RFC 5929 4.1]. */
  readonly certificate: Buffer | undefined;
  /** Nobody on the way can read along: TLS, or a security layer that seals. */
  readonly isPrivate: boolean;
  /**
   * Sends a request and gives what answers it, up to and with the last message, as fast as it is taken.
   * @param isLast whether nothing comes after this one
   * @throws SallyportError `directory.*`, `connection.lost`; the signal's reason
   */
  answers(request: Request, isLast: (message: Message) => boolean): AsyncGenerator<Message>;
  /**
   * Sends a request at once, for whoever wants its answers later: the directory works meanwhile. Whoever does not take them to
   * the last one closes the connection. @throws as `answers`
   */
  begin(request: Request, isLast: (message: Message) => boolean): Answers;
  /** A request with one answer. The result may be any: see `errors.ts`. @throws as `answers` */
  ask(request: Request): Promise<Result>;
  /** From now on each message is waited for so long. */
  waitFor(answerMs: number): void;
  /** Puts a sign-in's security layer over all that follows. */
  protect(layer: SecurityLayer, isPrivate: boolean): void;
  /**
   * Gives the socket back as it is, for TLS over it. @throws SallyportError `directory.protocol` where the other end sent more
   * than it was asked for: under no protection, so it could be anybody's.
   */
  release(): Duplex;
  /** Ends it at once. No farewell: an unbind tells nothing that a closed socket does not. */
  close(): void;
}

export interface ConnectionFacts {
  readonly wire: Wire;
  readonly certificate: Buffer | undefined;
  /** For each message that is waited for. */
  readonly answerMs: number;
}

export function createConnection({ wire, certificate, answerMs }: ConnectionFacts, signal: AbortSignal): Connection {
  let waitMs = answerMs;
  let lastId = 0;
  let isUnderWay = false;
  let isPrivate = certificate !== undefined;
  const abort = (): void => wire.end(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();

  const begin = (request: Request, isLast: (message: Message) => boolean): Answers => {
    if (isUnderWay) throw new TypeError("A connection serves one request at a time.");
    lastId += 1;
    request.messageId = lastId;
    wire.send(request.write());
    isUnderWay = true;
    let isWhole = false;
    const read = (bytes: Buffer): Message => {
      try {
        const message = readMessage(bytes);
        checkNumber(message, lastId);
        isWhole = isLast(message);
        isUnderWay = !isWhole;
        return message;
      } catch (error) {
        wire.end(error as Error);
        throw error;
      }
    };
    return {
      get isWhole() {
        return isWhole;
      },
      next: async () => read(await wire.receive(waitMs)),
      async take(mostBytes) {
        const messages: Message[] = [];
        for (let heldBytes = 0; !isWhole && heldBytes < mostBytes; ) {
          const bytes = wire.received() ?? (await wire.receive(waitMs));
          heldBytes += bytes.length + MESSAGE_BYTES;
          messages.push(read(bytes));
        }
        return messages;
      },
    };
  };

  async function* answers(request: Request, isLast: (message: Message) => boolean): AsyncGenerator<Message> {
    const each = begin(request, isLast);
    try {
      while (!each.isWhole) yield await each.next();
    } finally {
      // Whoever stops in the middle leaves answers behind that nobody waits for.
      if (!each.isWhole) wire.end(new SallyportError("connection.lost", "The connection was given up in mid-answer."));
    }
  }

  return {
    certificate,
    get isPrivate() {
      return isPrivate;
    },
    answers,
    begin,
    async ask(request) {
      for await (const message of answers(request, () => true)) return readResult(message);
      throw new SallyportError("connection.lost", "The directory ended the connection.");
    },
    waitFor(ms) {
      waitMs = ms;
    },
    protect(layer, seals) {
      wire.protect(layer);
      isPrivate ||= seals;
    },
    release() {
      signal.removeEventListener("abort", abort);
      return wire.release();
    },
    close() {
      signal.removeEventListener("abort", abort);
      wire.end(new SallyportError("connection.lost", "The connection is closed."));
    },
  };
}

/** What a message takes besides its own bytes, roughly: of the smallest ones it is nearly all. */
const MESSAGE_BYTES = 512;

/** [RFC 4511 4.4.1] */
const NOTICE_OF_DISCONNECTION = 0;

function checkNumber(message: Message, expected: number): void {
  if (message.id === NOTICE_OF_DISCONNECTION && message.tag === ANSWER.extended) {
    const { code } = readResult(message);
    throw new SallyportError("connection.lost", "The directory said that it ends the connection.", { number: code });
  }
  if (message.id === expected) return;
  throw new SallyportError("directory.protocol", "The directory answered what was not asked.");
}
