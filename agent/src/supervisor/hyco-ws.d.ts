/** The part of hyco-ws 1.0.5 that is used: its WebSocket class, which is that of `ws` 1.1.5. */
declare module "hyco-ws" {
  import type { EventEmitter } from "node:events";
  import type { Agent } from "node:https";
  import type { Socket } from "node:net";

  interface Options {
    headers: Record<string, string>;
    perMessageDeflate: false;
    agent: Agent;
  }
  class HycoWebSocket extends EventEmitter {
    constructor(address: string, protocols: null, options: Options);
    _socket?: Socket | null;
    send(text: string, done: (error?: Error) => void): void;
    ping(data: string, options: object, dontFailWhenClosed: boolean): void;
    terminate(): void;
  }
  export default HycoWebSocket;
}
