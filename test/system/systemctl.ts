/**
 * `systemctl` where no systemd runs: a command that hands its words to the test by way of a socket, and ends as it is told. Nothing of
 * the product knows.
 */
import { once } from "node:events";
import { createServer } from "node:http";

export interface Answer {
  readonly code: number;
  /** What the command prints. */
  readonly prints?: string;
}

export interface Listening {
  /** Whoever still waits for an answer is told that there is none. */
  close(): Promise<void>;
}

/** Answers several calls at a time. @param act is given all words of one */
export async function answerSystemctl(
  socket: string,
  act: (words: readonly string[]) => Promise<Answer>,
): Promise<Listening> {
  const server = createServer((request, response) => {
    const words = JSON.parse(decodeURIComponent((request.url ?? "").slice(1))) as string[];
    void act(words)
      .catch((error: Error): Answer => ({ code: 1, prints: error.message }))
      .then((answer) => response.end(JSON.stringify(answer)));
  });
  server.listen(socket);
  await once(server, "listening");
  return {
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The command's text. @param node @param socket as the command finds them */
export const systemctlText = (node: string, socket: string): string => `#!${node}
const path = "/" + encodeURIComponent(JSON.stringify(process.argv.slice(2)));
const request = require("node:http").get({ socketPath: ${JSON.stringify(socket)}, path }, async (response) => {
  const { code, prints = "" } = JSON.parse(Buffer.concat(await response.toArray()).toString());
  process.stdout.write(prints);
  process.exitCode = code;
});
request.on("error", (error) => {
  process.stderr.write(error.message + "\\n");
  process.exitCode = 1;
});
`;
