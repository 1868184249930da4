/** What a session's steps are given of its one connection. */
import type { Connection } from "tedious";
import type { ServerMessage } from "./errors.ts";

export interface Session {
  readonly connection: Connection;
  /** ERROR tokens of the statement that runs: some arrive nowhere else. */
  readonly messages: ServerMessage[];
  /** Ends the connection; resolves when its socket is gone. */
  close(): Promise<void>;
}
