/** Downloads from an orchestrator that breaks off, or sends something else than was asked for. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { PIECE_BYTES } from "@sallyport/shared/release/manifest.ts";
import { makeAuthority } from "../../../test/emulators/tls/certificates.ts";
import { systemClock } from "../clock.ts";
import { layoutIn } from "../install/layout.ts";
import { downloadArchive } from "./download.ts";
import { stagedArchive, stagedPart, updatePlaces } from "./places.ts";

const content = randomBytes(PIECE_BYTES + 1000);
const sha256 = createHash("sha256").update(content).digest("hex");
const file = { platform: "linux-x64" as const, name: "a.tar.gz", bytes: content.length, unpackedBytes: 1, sha256 };
const root = mkdtempSync(join(tmpdir(), "sallyport-download-"));
const places = updatePlaces(layoutIn(root));
const asked: (string | undefined)[] = [];
let answer: (request: IncomingMessage, response: ServerResponse, first: number, last: number) => void;
let download: () => Promise<void>;
const authority = await makeAuthority();
const certificate = await authority.issue({ names: ["localhost"] });
const server = createServer({ key: certificate.key, cert: certificate.cert }, (request, response) => {
  asked.push(request.headers.range);
  const [, first, last] = /^bytes=([0-9]+)-([0-9]+)$/.exec(request.headers.range ?? "") ?? [];
  answer(request, response, Number(first), Number(last));
});

const range = (first: number, last: number) => ({ "content-range": `bytes ${first}-${last}/${content.length}` });
const good: typeof answer = (_, response, first, last) =>
  response.writeHead(206, range(first, last)).end(content.subarray(first, last + 1));

before(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const signer = signerOf("EdDSA", await generateKeyPair("EdDSA"));
  const deps = {
    ...{ origin: `https://localhost:${(server.address() as AddressInfo).port}`, agent: "0".repeat(32), signer },
    ...{ network: { caPem: authority.caPem }, clock: systemClock, places, offsetMs: 0 },
  };
  download = () => downloadArchive(deps, "1.1.0", file, new AbortController().signal);
});
beforeEach(() => {
  rmSync(places.staged, { recursive: true, force: true });
  asked.length = 0;
  answer = good;
});
after(async () => {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
  rmSync(root, { recursive: true });
});

const refusedWith = (code: string, why: RegExp) => (error: unknown) =>
  error instanceof SallyportError && error.code === code && why.test(error.message);
const PIECES = [`bytes=0-${PIECE_BYTES - 1}`, `bytes=${PIECE_BYTES}-${content.length - 1}`];

describe("a download", () => {
  it("comes in pieces, whole and once; what was staged of another release goes", async () => {
    await download();
    assert.deepEqual(asked, PIECES);
    assert.deepEqual(readFileSync(stagedArchive(places, sha256)), content);
    writeFileSync(join(places.staged, `${"a".repeat(64)}.part`), "");
    await download();
    assert.deepEqual(asked, PIECES);
    assert.deepEqual(readdirSync(places.staged), [`${sha256}.tar.gz`]);
  });

  it("goes on behind what has come when it broke off", async () => {
    answer = (request, response, first, last) =>
      first === 0 ? good(request, response, first, last) : void request.socket.destroy();
    await assert.rejects(download(), refusedWith("network.unreachable", /What has come is kept/));
    answer = good;
    await download();
    assert.deepEqual(asked, [...PIECES, PIECES[1]]);
    assert.deepEqual(readFileSync(stagedArchive(places, sha256)), content);
  });

  it("of another content is removed, and refused", async () => {
    answer = (_, response, first, last) =>
      response.writeHead(206, range(first, last)).end(Buffer.alloc(last - first + 1));
    await assert.rejects(download(), refusedWith("update.refused", /another sum/));
    assert.ok(!existsSync(stagedPart(places, sha256)));
  });

  it("takes no other piece than it asked for, none that is longer or shorter, and no answer that is none", async () => {
    const wrong: (typeof answer)[] = [
      (_, response, first, last) =>
        response.writeHead(206, range(first + 1, last)).end(content.subarray(first, last + 1)),
      (_, response, first, last) => response.writeHead(206, range(first, last)).end(content.subarray(first, last)),
      (_, response, first, last) => response.writeHead(206, range(first, last)).end(content.subarray(first, last + 2)),
      (_, response) => response.writeHead(206).end("x"),
    ];
    for (answer of wrong) await assert.rejects(download(), refusedWith("update.refused", /than was asked for/));
    answer = (_, response) => response.writeHead(200).end(content.subarray(0, 100));
    await assert.rejects(download(), refusedWith("network.unreachable", /answered 200/));
    answer = (_, response) => response.writeHead(302, { location: "https://elsewhere.example/" }).end();
    await assert.rejects(download(), refusedWith("network.unreachable", /answered 302/));
    answer = (_, response) => response.writeHead(403).end(JSON.stringify({ code: "agent.revoked" }));
    await assert.rejects(download(), refusedWith("agent.revoked", /answered 403/));
    assert.ok(!existsSync(stagedArchive(places, sha256)));
  });
});
