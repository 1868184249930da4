/** A sign-in by Kerberos to a realm that no file has, by an executable's own sign-in child. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createKerberos } from "@sallyport/agent/src/executor/kerberos.ts";
import type { FromSignIn } from "@sallyport/agent/src/pipe/sign-in-messages.ts";
import { startSignInChild } from "@sallyport/agent/src/supervisor/sign-in-child.ts";

/** What the child makes of it: `unreachable` where the system's library was asked, `unavailable` where that was not possible. */
export async function signInBy(program: string): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-krb5-"));
  process.env.KRB5_CONFIG = join(folder, "krb5.conf");
  // Nobody outside is asked for its servers.
  writeFileSync(process.env.KRB5_CONFIG, "[libdefaults]\n  dns_lookup_kdc = false\n  dns_lookup_realm = false\n");
  const ended = Promise.withResolvers<void>();
  const heard: FromSignIn[] = [];
  let wake = (): void => {};
  const native = join(dirname(program), "koffi.node");
  const flags = `--node-options=--permission --allow-addons --allow-fs-read=${native}`;
  const child = startSignInChild(
    (message) => {
      heard.push(message);
      wake();
    },
    ended.resolve,
    { error: () => {} },
    [program, flags, "@sign-in"],
  );
  try {
    const step = await createKerberos({
      async signIn(to) {
        if (to !== undefined) child.send(to);
        while (heard.length === 0) {
          const gone = await Promise.race([
            new Promise<false>((resolve) => (wake = () => resolve(false))),
            ended.promise.then(() => true),
          ]);
          if (gone && heard.length === 0) throw new Error("the sign-in child has ended without a word");
        }
        return heard.shift()!;
      },
    }).start({
      ...{ login: "kari@sallyport.invalid", password: "secret", realm: "SALLYPORT.INVALID" },
      ...{ service: "ldap/dc1.sallyport.invalid", channelBinding: undefined },
    });
    await ended.promise;
    return "why" in step ? step.why : undefined;
  } finally {
    child.kill();
    delete process.env.KRB5_CONFIG;
    rmSync(folder, { recursive: true });
  }
}
