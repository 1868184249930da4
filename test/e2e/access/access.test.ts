/** Who may do what, and how the API behaves, on the whole stack. */
import { appendFileSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { type Entra, startEntra } from "../../emulators/entra/start.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import { createCleanup } from "../../stack/cleanup.ts";
import { type Stack, startStack } from "../../stack/start.ts";
import { type Ask, asking } from "./calls.ts";
import { keysAndRestrictions } from "./keys.ts";
import { apiManners } from "./manners.ts";
import { accessMatrix } from "./matrix.ts";
import { requestsByHand } from "./requests.ts";
import { requestPolicy } from "./sample.ts";
import { tenantsToTheirEnd } from "./tenants.ts";
import { tokens } from "./tokens.ts";

describe("the API's access", { timeout: 300_000 }, () => {
  const cleanup = createCleanup();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-e2e-"));
  let stack: Stack;
  let entra: Entra;
  let ask: Ask;
  const admin = () => ask;

  before(async () => {
    const authority = await makeAuthority();
    entra = cleanup.add(await startEntra({ tls: await authority.issue({ names: ["localhost"] }) }), (it) => it.close());
    // The function app trusts the stack's authority and, beside it, the provider's.
    const caFile = join(folder, "both.pem");
    const trustBoth = (step: string) => {
      if (step !== "function app") return;
      copyFileSync(join(folder, "ca.pem"), caFile);
      appendFileSync(caFile, authority.caPem);
    };
    writeFileSync(caFile, "");
    stack = await startStack({
      folder,
      cleanup,
      onStep: trustBoth,
      policy: requestPolicy,
      settings: {
        NODE_EXTRA_CA_CERTS: caFile,
        SALLYPORT_ENTRA_ISSUER: entra.issuer,
        SALLYPORT_ENTRA_AUDIENCE: entra.audience,
        SALLYPORT_RATE: "20",
        SALLYPORT_BURST: "250",
        SALLYPORT_WAIT_SECONDS: "1",
      },
    });
    const { adminKey } = JSON.parse(readFileSync(stack.access, "utf8")) as { adminKey: string };
    ask = asking(stack, adminKey);
  });
  after(async () => {
    await cleanup.run();
    rmSync(folder, { recursive: true, force: true });
  });

  describe("the matrix", () => accessMatrix(() => stack));
  describe("keys", () => keysAndRestrictions(() => stack, admin));
  describe("tokens", () =>
    tokens(
      () => stack,
      admin,
      () => entra,
    ));
  describe("manners", () => apiManners(() => stack, admin));
  describe("requests by hand", () => requestsByHand(() => stack, admin));
  describe("tenants", () => tenantsToTheirEnd(() => stack, admin));
});
