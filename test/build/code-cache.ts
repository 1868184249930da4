/** What V8 makes of the executor's script, kept beside it, so that no executor has to parse and compile it anew. */
import { readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { LOCAL, startSite } from "../e2e/agent/site.ts";
import { newId, order } from "../e2e/agent/writer.ts";
import { startTds } from "../emulators/tds/start.ts";
import { makeAuthority } from "../emulators/tls/certificates.ts";
import { unconfined } from "../stack/unconfined/environment.ts";

/** Strings' hashes, which are in the cache, come from it. It is not among the flags that V8 holds a cache against. */
const SEED = "--random-seed=1";
const PRELOAD = new URL("./code-cache-preload.ts", import.meta.url).href;

/**
 * Rehearses one session of the bundle against the emulators, a query of one row, and adds the cache for this Node: also
 * functions that are first called within a session are compiled ahead. Its bytes are the same as long as the session takes the
 * same way, which a busy machine may change.
 * @throws Error where the session fails.
 */
export async function addCodeCache(sallyport: string): Promise<void> {
  const authority = await makeAuthority();
  const credential = { form: "plain", user: "svc", password: newId(), signIn: "sql" } as const;
  const tds = await startTds({
    tls: await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] }),
    logins: [{ name: credential.user, password: credential.password, rights: "read" }],
    databases: ["ERP"],
  });
  const site = await startSite(LOCAL, sallyport);
  try {
    const enrolled = await site.enroll(site.orchestrator.code());
    if (enrolled.code !== 0) throw new Error(enrolled.stderr);
    writeFileSync(join(site.state, "sql-ca.pem"), authority.caPem);
    site.setPolicy(policy(tds.port));
    const { environment, flags } = unconfined([`--import=${PRELOAD}`, SEED]);
    const agent = await site.start(environment, flags);
    const operation = { op: "sql.query", statement: "one", parameters: {} } as const;
    const outcome = await order(site, { connection: "erp", operation, credential });
    // Told to stop before it has ended, the session would take another way.
    await site.journaled(({ event }) => event === "end");
    await agent.stop();
    const kept = readdirSync(dirname(sallyport)).some((name) => name.endsWith(".cache"));
    if (!outcome.ok || !kept)
      throw new Error(`The rehearsed session ended as ${JSON.stringify(outcome)}.\n${agent.log()}`);
  } finally {
    await site.close();
    await tds.close();
  }
}

const policy = (port: number): string => `v: 1
connections:
  erp:
    kind: mssql
    address: localhost:${port}
    database: ERP
    tls: { mode: required, ca: sql-ca.pem }
    logins: [svc]
    rules:
      - { id: one, allow: [statement], name: one, sql: SELECT 1 AS One, returns: [One] }
`;
