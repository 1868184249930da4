/** The executor's end of its channel to the supervisor. */
import { Socket } from "node:net";
import { parseJson } from "@sallyport/shared/json.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { encodeLine, PIPE_FD, readLines } from "../pipe/lines.ts";
import {
  EXECUTOR_EXIT,
  MAX_LINE_BYTES,
  type SessionOrder,
  type ToSupervisor,
  toExecutor,
  type UnsealReport,
} from "../pipe/messages.ts";
import type { FromSignIn, ToSignIn } from "../pipe/sign-in-messages.ts";

export interface Supervisor {
  readonly order: Promise<SessionOrder>;
  /** The hello record as base64url. */
  readonly hello: Promise<string>;
  /** Settles when the journal has its line; rejects with the supervisor's refusal. */
  readonly go: Promise<Go>;
  /** Asks for the key of a sealed credential; rejects with the supervisor's refusal. */
  unseal(of: Omit<UnsealReport, "say">): Promise<Buffer>;
  /** Says which login was sealed. Settles when it is counted; rejects when it has failed too often. */
  countLogin(login: string): Promise<void>;
  /** Settles when the message is on its way. */
  say(message: ToSupervisor): Promise<void>;
  /** Says this to the sign-in child, or asks for one, and gives what it says next. One at a time. */
  signIn(to?: ToSignIn): Promise<FromSignIn>;
  /** Sets who is told to finish or to stop; what came before is told at once. */
  onInterrupt(interrupt: Interrupt): void;
}

/** What the session may send, and write, at most, where the supervisor bounds it. */
export interface Go {
  readonly bytes?: number | undefined;
  readonly rows?: number | undefined;
  /** The site's mask key, where the rule needs it. */
  readonly maskKey?: string | undefined;
}

export interface Interrupt {
  finish(): void;
  stop(error: SallyportError): void;
}

/** Ends the process with 70 when the supervisor goes, or says what is not of the list. */
export function talkToSupervisor(): Supervisor {
  const order = Promise.withResolvers<SessionOrder>();
  const hello = Promise.withResolvers<string>();
  const go = Promise.withResolvers<Go>();
  const unsealed = Promise.withResolvers<Buffer>();
  const counted = Promise.withResolvers<void>();
  let signedIn = Promise.withResolvers<FromSignIn>();
  const told: ((interrupt: Interrupt) => void)[] = [];
  let interrupt: Interrupt | undefined;
  // A refusal may come when nobody waits for it yet.
  for (const each of [go, unsealed, counted]) each.promise.catch(() => {});

  const tell = (act: (interrupt: Interrupt) => void): void => {
    if (interrupt === undefined) told.push(act);
    else act(interrupt);
  };
  const fail = (): never => process.exit(EXECUTOR_EXIT.failed);
  const pipe = new Socket({ fd: PIPE_FD, readable: true, writable: true });
  // The supervisor is gone: whatever is running has nobody to account to.
  pipe.on("error", fail);
  pipe.on("close", fail);
  const onLine = (text: string) => {
    const parsed = toExecutor.safeParse(parseJson(text));
    if (!parsed.success) return fail();
    const message = parsed.data;
    switch (message.say) {
      case "session":
        return order.resolve(message);
      case "hello":
        return hello.resolve(message.record);
      case "go":
        return go.resolve(message);
      case "unsealed":
        return unsealed.resolve(Buffer.from(message.key, "base64url"));
      case "counted":
        return counted.resolve();
      case "signIn":
        return signedIn.resolve(message.from);
      case "refuse":
        for (const each of [go, unsealed, counted]) each.reject(new SallyportError(message.code, message.message));
        return;
      case "finish":
        return tell((each) => each.finish());
      case "stop":
        return tell((each) => each.stop(new SallyportError(message.code, message.message)));
      default:
        return message satisfies never;
    }
  };
  readLines(pipe, MAX_LINE_BYTES.toExecutor, onLine, fail);
  const say = (message: ToSupervisor): Promise<void> =>
    new Promise((resolve) => pipe.write(encodeLine(message), () => resolve()));
  return {
    order: order.promise,
    hello: hello.promise,
    go: go.promise,
    say,
    async unseal(of) {
      await say({ say: "unseal", ...of });
      return await unsealed.promise;
    },
    async countLogin(login) {
      await say({ say: "login", login });
      await counted.promise;
    },
    async signIn(to) {
      signedIn = Promise.withResolvers<FromSignIn>();
      await say({ say: "signIn", ...(to === undefined ? {} : { to }) });
      return await signedIn.promise;
    },
    onInterrupt(next) {
      interrupt = next;
      for (const act of told.splice(0)) act(next);
    },
  };
}
