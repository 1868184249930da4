/** The agent speaks first: its hello is awaited and checked before anything is said to it. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type HelloRecord, verifyHello } from "@sallyport/shared/protocol/hello.ts";
import type { WebSocket } from "ws";

const HELLO_MS = 20_000;

/**
 * The hello of exactly this agent, site, key and challenge. The socket stays open whatever comes.
 * @throws protocol.hello, protocol.version, protocol.order, protocol.silent after 20 s, protocol.truncated, request.cancelled
 */
export const awaitHello = async (
  socket: WebSocket,
  expected: Parameters<typeof verifyHello>[1],
  signal: AbortSignal,
): Promise<HelloRecord> => verifyHello(await firstMessage(socket, signal), expected);

/** Anything but one binary message within the time is no hello. */
function firstMessage(socket: WebSocket, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      clearTimeout(timer);
      socket.off("message", onMessage);
      socket.off("close", onClose);
      signal.removeEventListener("abort", onAbort);
      act();
    };
    const onMessage = (data: Buffer, isBinary: boolean) =>
      settle(() => {
        // Until the request is sealed the agent has nothing to say; without a listener `ws` would drop it unseen.
        socket.on("message", () => socket.close(1002));
        if (isBinary) resolve(data);
        else reject(new SallyportError("protocol.order", "The agent sent text."));
      });
    const onClose = () =>
      settle(() => reject(new SallyportError("protocol.truncated", "The session closed before the hello.")));
    const onAbort = () =>
      settle(() => reject(new SallyportError("request.cancelled", "The session was stopped before it began.")));
    const timer = setTimeout(
      () => settle(() => reject(new SallyportError("protocol.silent", "No hello came in time."))),
      HELLO_MS,
    );
    socket.on("message", onMessage);
    socket.on("close", onClose);
    socket.resume();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}
