/** The executor's end of its channel to the supervisor. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { EXECUTOR_EXIT, type SessionOrder, type ToSupervisor, toExecutor } from "./messages.ts";

export interface Supervisor {
  readonly order: Promise<SessionOrder>;
  /** The hello record as base64url. */
  readonly hello: Promise<string>;
  /** Settles when the journal has its line; rejects with the supervisor's refusal. */
  readonly go: Promise<Go>;
  /** Settles when the message is on its way. */
  say(message: ToSupervisor): Promise<void>;
  /** Sets who is told to finish or to stop; what came before is told at once. */
  onInterrupt(interrupt: Interrupt): void;
}

/** `bytes`: what the session may send at most, where the supervisor bounds it. */
export interface Go {
  readonly bytes?: number | undefined;
}

export interface Interrupt {
  finish(): void;
  stop(error: SallyportError): void;
}

export function talkToSupervisor(): Supervisor {
  const order = Promise.withResolvers<SessionOrder>();
  const hello = Promise.withResolvers<string>();
  const go = Promise.withResolvers<Go>();
  const told: ((interrupt: Interrupt) => void)[] = [];
  let interrupt: Interrupt | undefined;
  // A refusal may come when nobody waits for it yet.
  go.promise.catch(() => {});

  const tell = (act: (interrupt: Interrupt) => void): void => {
    if (interrupt === undefined) told.push(act);
    else act(interrupt);
  };
  process.on("message", (raw) => {
    const parsed = toExecutor.safeParse(raw);
    if (!parsed.success) process.exit(EXECUTOR_EXIT.failed);
    const message = parsed.data;
    switch (message.say) {
      case "session":
        return order.resolve(message);
      case "hello":
        return hello.resolve(message.record);
      case "go":
        return go.resolve(message);
      case "refuse":
        return go.reject(new SallyportError(message.code, message.message));
      case "finish":
        return tell((each) => each.finish());
      case "stop":
        return tell((each) => each.stop(new SallyportError(message.code, message.message)));
      default:
        return message satisfies never;
    }
  });
  return {
    order: order.promise,
    hello: hello.promise,
    go: go.promise,
    say: (message) => new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve())),
    onInterrupt(next) {
      interrupt = next;
      for (const act of told.splice(0)) act(next);
    },
  };
}
