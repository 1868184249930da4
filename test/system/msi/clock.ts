/** A time-stamp authority (RFC 3161) on loopback; OpenSSL gives its answers. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { run } from "./tables.ts";

/** @param folder an empty one of its own */
export async function startClock(
  folder: string,
  { key, certificate }: { readonly key: string; readonly certificate: string },
): Promise<{ readonly url: string; close(): Promise<void> }> {
  mkdirSync(folder, { recursive: true });
  const [configuration, serial] = [join(folder, "tsa.cnf"), join(folder, "serial")];
  const [asked, answered] = [join(folder, "asked"), join(folder, "answered")];
  writeFileSync(serial, "01\n");
  const lines = [`serial = ${serial}`, "signer_digest = sha256", "digests = sha256", "default_policy = 1.2.3.4.1"];
  writeFileSync(configuration, ["[tsa]", "default_tsa = clock", "[clock]", ...lines, ""].join("\n"));
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      writeFileSync(asked, await buffer(request));
      const signer = ["-signer", certificate, "-inkey", key, "-config", configuration];
      await run("openssl", ["ts", "-reply", "-queryfile", asked, ...signer, "-out", answered]);
      response.setHeader("content-type", "application/timestamp-reply").end(readFileSync(answered));
    };
    answer().catch((error: Error) => response.writeHead(500).end(error.message));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
