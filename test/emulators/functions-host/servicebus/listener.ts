import type {
  ProcessErrorArgs,
  ServiceBusClient,
  ServiceBusReceivedMessage,
  ServiceBusReceiver,
} from "@azure/service-bus";
import type { ServiceBusFunction } from "../functions.ts";
import type { ServiceBusSettings } from "../host-json.ts";
import type { Invoker } from "../invoke.ts";
import { describeError, writeLog } from "../log.ts";
import { toServiceBusInput } from "./metadata.ts";

export type ServiceBusListener = {
  /** Takes no further messages; resolves when the ones in hand are settled. */
  stop(): Promise<void>;
};

/** The part of a receiver that settles. */
export type Settler = Pick<ServiceBusReceiver, "completeMessage" | "abandonMessage">;

/**
 * Starts a trigger: peek-lock, up to `maxConcurrentCalls` messages at a time, locks renewed while a function runs.
 * The SDK's subscription reconnects by itself, for ever, also when the service is not there yet. `prefetchCount` has
 * no counterpart in the JavaScript SDK, whose credit is the number of free calls: as with 0, nothing is prefetched.
 */
export function startServiceBusListener(
  fn: ServiceBusFunction,
  client: ServiceBusClient,
  settings: ServiceBusSettings,
  invoker: Pick<Invoker, "invoke">,
): ServiceBusListener {
  const receiver = openReceiver(fn, client, settings);
  const autoComplete = fn.autoCompleteMessages ?? settings.autoCompleteMessages;
  const inHand = new Set<Promise<void>>();
  const stopping = new AbortController();
  const reportError = makeReporter(fn);
  const subscription = receiver.subscribe(
    {
      processMessage: async (message) => {
        const handled = handleMessage(fn, message, receiver, invoker, autoComplete);
        inHand.add(handled);
        await handled;
        inHand.delete(handled);
      },
      processError: async (args) => reportError(args),
    },
    {
      autoCompleteMessages: false,
      maxConcurrentCalls: settings.maxConcurrentCalls,
      abortSignal: stopping.signal,
    },
  );
  return {
    async stop() {
      stopping.abort(); // or closing would wait for a service that is not there
      await subscription.close();
      await Promise.all(inHand);
      await receiver.close();
    },
  };
}

function openReceiver(
  fn: ServiceBusFunction,
  client: ServiceBusClient,
  settings: ServiceBusSettings,
): ServiceBusReceiver {
  const options = {
    receiveMode: "peekLock",
    skipParsingBodyAsJson: true,
    maxAutoLockRenewalDurationInMs: settings.maxAutoLockRenewalMs,
  } as const;
  const { source } = fn;
  return "queue" in source
    ? client.createReceiver(source.queue, options)
    : client.createReceiver(source.topic, source.subscription, options);
}

/**
 * Runs the function for one message, completes it when the function returns and abandons it when it throws. Never
 * rejects: a settlement that fails is logged, and the message comes again.
 */
export async function handleMessage(
  fn: ServiceBusFunction,
  message: ServiceBusReceivedMessage,
  settler: Settler,
  invoker: Pick<Invoker, "invoke">,
  autoComplete: boolean,
): Promise<void> {
  const succeeded = await run(fn, message, invoker);
  try {
    if (!succeeded) await settler.abandonMessage(message);
    else if (autoComplete) await settler.completeMessage(message);
  } catch (error) {
    const act = succeeded ? "complete" : "abandon";
    writeLog("error", `Host.ServiceBus.${fn.name}`, `Could not ${act} ${message.messageId}: ${describeError(error)}`);
  }
}

async function run(
  fn: ServiceBusFunction,
  message: ServiceBusReceivedMessage,
  invoker: Pick<Invoker, "invoke">,
): Promise<boolean> {
  try {
    await invoker.invoke(fn.registered, toServiceBusInput(fn.triggerName, fn.dataType, message));
    return true;
  } catch {
    return false; // the invoker has logged why
  }
}

/** Logs an error once and not again while it stays the same: a service that is away fails several times a second. */
function makeReporter(fn: ServiceBusFunction): (args: ProcessErrorArgs) => void {
  let last = "";
  return ({ errorSource, entityPath, error }) => {
    const text = `Message processing error (Action=${errorSource}, EntityPath=${entityPath}): ${error.message}`;
    if (text !== last) writeLog("error", `Host.ServiceBus.${fn.name}`, text);
    last = text;
  };
}
