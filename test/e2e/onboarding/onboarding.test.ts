/** docs/onboarding.md, run from the document itself: each command in its turn, its outputs compared with what stands there. */
import assert from "node:assert/strict";
import { appendFileSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import { createCleanup } from "../../stack/cleanup.ts";
import { fillSample } from "../../stack/sample.ts";
import { type Stack, startStack } from "../../stack/start.ts";
import { checkFromDocument, type Receiver, startReceiver } from "../events/receiver.ts";
import { readDocument, readSteps, type Step, withOutputs, writeDocument } from "../first-hour/document.ts";
import { DIFFERS as HOUR } from "../first-hour/names.ts";
import { type Differs, Names } from "../transcripts/names.ts";
import { type Desk, openDesk } from "./desk.ts";

const DOCUMENT = new URL("../../../docs/onboarding.md", import.meta.url);
const FLIGHTS = 2000;
const DIFFERS: Differs = [
  [/bytes=\d+/g, "bytes=SIZE"],
  ...HOUR,
  [/f\d+-s\d+\/part/g, "FENCE/part"],
  [/(?<=AGO {2,})\d+ s\b/g, "TOOK"],
];

const cleanup = createCleanup();
const folder = mkdtempSync(join(tmpdir(), "sallyport-onboarding-"));
let stack: Stack;
let receiver: Receiver;
let desk: Desk;

before(async () => {
  const authority = await makeAuthority();
  const trusted = join(folder, "trusted.pem");
  const stackFolder = join(folder, "stack");
  stack = await startStack({
    folder: stackFolder,
    cleanup,
    settings: { NODE_EXTRA_CA_CERTS: trusted, SALLYPORT_WEBHOOK_NETWORKS: "127.0.0.0/8,::1/128" },
    onStep: (step) => {
      if (step !== "function app") return;
      copyFileSync(join(stackFolder, "ca.pem"), trusted);
      appendFileSync(trusted, authority.caPem);
    },
  });
  cleanup.add(await fillSample(stack.sqlServer.server, FLIGHTS, () => undefined), (it) => it.close());
  const certificate = await authority.issue({ names: ["localhost"] });
  receiver = cleanup.add(await startReceiver(certificate, await checkFromDocument(folder)), (it) => it.close());
  const { host, port } = stack.sqlServer.server;
  desk = cleanup.add(
    openDesk(folder, stack, [
      ["https://sallyport-contoso.azurewebsites.net", stack.origin],
      ["https://hooks.contoso.example/sallyport", receiver.url],
      ["sql01.corp.example:1433", `${host}:${port}`],
      ["erp-host-1", hostname()],
    ]),
    (it) => it.close(),
  );
  copyFileSync(join(stackFolder, "ca.pem"), join(desk.work, "corp.pem"));
  const secret = { mode: 0o600 };
  writeFileSync(join(desk.work, "first.key"), readFileSync(join(stackFolder, "admin.key")), secret);
  writeFileSync(join(desk.work, "erp.password"), `${stack.sqlServer.readerPassword}\n`, secret);
});
after(async () => {
  await cleanup.run();
  rmSync(folder, { recursive: true, force: true });
});

test("a customer is onboarded as docs/onboarding.md says", async () => {
  const document = readDocument(DOCUMENT);
  const [written, came] = [new Names(DIFFERS), new Names(DIFFERS)];
  const renew = process.env.SALLYPORT_WRITE_TRANSCRIPTS !== undefined;
  /** The ids in the document's commands are those that it printed; here others came in their place. */
  const meant = (command: string): string =>
    [...written.all].reduce((changed, [said, name]) => changed.replaceAll(said, came.found(name) ?? said), command);
  const newly = (command: string): string =>
    command
      .replace(/\b[0-9a-f]{32}\b/, (id) => came.found("ID1") ?? id)
      .replace(/SHA256:[\w-]{43}/, (print) => came.found("SHA256:PRINT1") ?? print);
  const done: Step[] = [];
  for (const { prompt, command, prints } of readSteps(document)) {
    const here = renew ? newly(command) : meant(command);
    const printed = await desk.run(here);
    keepCode(printed);
    keepSecret();
    done.push({ prompt, command: here, prints: printed });
    const both = [written.stable(prints), came.stable(printed)];
    if (!renew) assert.equal(both[1], both[0], `${prompt} ${command}`);
  }
  if (renew) writeDocument(DOCUMENT, withOutputs(document, done));
  await receiver.until("the test event", (arrivals) =>
    arrivals.some(({ event, genuine }) => genuine && event.type === "sallyport.webhook.test"),
  );
});

/** The administrator's hand: what the platform team said on the telephone stands in a file. */
function keepCode(printed: string): void {
  const [, code] = /^CODE +(\S+)$/m.exec(printed) ?? [];
  if (code !== undefined) writeFileSync(join(desk.work, "code.txt"), `${code}\n`, { mode: 0o600 });
}

/** The receiver is given what the platform team saved: before the event that is signed with it can come. */
function keepSecret(): void {
  const file = join(desk.work, "on-call.secret");
  if (existsSync(file)) receiver.secret = readFileSync(file, "utf8").trim();
}
