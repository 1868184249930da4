import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { makeAuthority } from "../../../test/emulators/tls/certificates.ts";
import { upload } from "./upload.ts";

const BYTES = 3_000_000;
const origin = "https://orchestrator.example";
let folder: string;
let file: string;
let authority: Awaited<ReturnType<typeof makeAuthority>>;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-upload-"));
  file = join(folder, "archive.tar.gz");
  writeFileSync(file, Buffer.alloc(BYTES, "x"));
  authority = await makeAuthority();
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** A storage for one call, which is answered by `answer`: to its head, or once the file may come. */
async function withStorage(
  answer: RequestListener,
  work: (url: string) => Promise<void>,
  to: "checkContinue" | "request" = "request",
): Promise<void> {
  const { key, cert } = await authority.issue({ names: ["localhost"] });
  const server = createServer({ key, cert }).on(to, answer).listen(0, "localhost");
  await once(server, "listening");
  try {
    await work(
      `https://localhost:${(server.address() as AddressInfo).port}/data/archive.tar.gz?sig=secret-of-the-link`,
    );
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

const put = (url: string, onSent: (bytes: number) => void = () => undefined) =>
  upload({ origin, url, file, bytes: BYTES }, authority.caPem, onSent);

describe("an upload", () => {
  it("is one call with the whole file, and tells how far it is", async () => {
    let got = 0;
    let seen: unknown[] = [];
    await withStorage(
      async (request, response) => {
        for await (const chunk of request) got += (chunk as Buffer).byteLength;
        const { "x-ms-blob-type": type, "content-length": length, authorization } = request.headers;
        seen = [request.method, type, length, authorization];
        response.writeHead(201).end();
      },
      async (url) => {
        const told: number[] = [];
        await put(url, (sent) => told.push(sent));
        assert.ok(told.length > 1 && told.at(-1) === BYTES);
      },
    );
    assert.equal(got, BYTES);
    assert.deepEqual(seen, ["PUT", "BlockBlob", String(BYTES), undefined]);
  });

  it("that is refused says by whom and why, before anything of it was sent, and never shows the link", async () => {
    let sent = 0;
    await withStorage(
      (_request, response) => response.writeHead(403, { "x-ms-error-code": "AuthenticationFailed" }).end("no"),
      async (url) => {
        const refused = put(url, (bytes) => (sent = bytes));
        await assert.rejects(refused, ({ exit, message, next }) => {
          assert.equal(exit, 75);
          assert.match(message, /^localhost:\d+ answered 403 \(AuthenticationFailed\) to .*archive\.tar\.gz\.$/);
          assert.match(next, /^Give the same command again/);
          assert.doesNotMatch(message + next, /secret/);
          return true;
        });
        assert.equal(sent, 0);
      },
      "checkContinue",
    );
  });

  it("goes to one that says nothing of continuing, too", async () => {
    let got = 0;
    await withStorage(
      async (request, response) => {
        for await (const chunk of request) got += (chunk as Buffer).byteLength;
        response.writeHead(201).end();
      },
      (url) => put(url),
      "checkContinue",
    );
    assert.equal(got, BYTES);
  });

  it("that breaks off is 69, and one in clear is not sent", async () => {
    await withStorage(
      (request) => void request.once("data", () => request.socket.destroy()),
      async (url) => {
        await assert.rejects(put(url), { exit: 69, message: /archive\.tar\.gz did not get to localhost:\d+: / });
      },
    );
    await assert.rejects(put("http://storage.example/data/a?sig=s"), { exit: 77, message: /in clear/ });
    // An orchestrator elsewhere is not to reach what runs on this machine through us.
    await assert.rejects(put("http://127.0.0.1:1/data/a?sig=s"), { exit: 77, message: /in clear/ });
    const own = { origin: "https://localhost", url: "http://127.0.0.1:1/data/a?sig=s", file, bytes: BYTES };
    await assert.rejects(
      upload(own, undefined, () => undefined),
      { exit: 69 },
    );
  });

  it("goes to nobody whom this machine does not trust", async () => {
    await withStorage(
      (_request, response) => response.writeHead(201).end(),
      async (url) => {
        await assert.rejects(
          upload({ origin, url, file, bytes: BYTES }, undefined, () => undefined),
          { exit: 69 },
        );
      },
    );
  });
});
