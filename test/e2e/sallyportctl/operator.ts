/** Somebody with an admin key at `sallyportctl`, in front of a whole stack: runs verbs, and holds their outputs against stored ones. */
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCleanup } from "../../stack/cleanup.ts";
import { fillSample } from "../../stack/sample.ts";
import { CONNECTION, type Stack, startStack, TENANT } from "../../stack/start.ts";
import { type Environment, type Ran, runCtl } from "./run.ts";
import { stored, Transcript } from "./transcript.ts";

const FLIGHTS = 2000;

export interface Operator {
  readonly stack: Stack;
  /** Goes with the stack. */
  readonly folder: string;
  readonly environment: Environment;
  ctl(args: readonly string[], more?: Environment, input?: string): Promise<Ran>;
  /** Runs what is given and compares all of it with the stored file. */
  session(name: string, steps: readonly (readonly string[])[]): Promise<Ran[]>;
  /** A file of the folder, which only its owner reads. Its path. */
  file(name: string, content: string): string;
  definePull(id: string, table: string): Promise<void>;
  end(): Promise<void>;
}

export async function startOperator(): Promise<Operator> {
  const cleanup = createCleanup();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-ctl-"));
  const end = async (): Promise<void> => {
    await cleanup.run();
    rmSync(folder, { recursive: true, force: true });
  };
  let stack: Stack;
  try {
    // Where nobody listens, webhooks may lead.
    stack = await startStack({ folder, cleanup, settings: { SALLYPORT_WEBHOOK_NETWORKS: "127.0.0.0/8" } });
    cleanup.add(await fillSample(stack.sqlServer.server, FLIGHTS, () => undefined), (it) => it.close());
  } catch (thrown) {
    await end();
    throw thrown;
  }
  const environment = {
    SALLYPORT_URL: stack.origin,
    SALLYPORT_KEY_FILE: join(folder, "admin.key"),
    SALLYPORT_TENANT: TENANT,
    NODE_EXTRA_CA_CERTS: join(folder, "ca.pem"),
  };
  const ctl: Operator["ctl"] = (args, more = {}, input = "") => runCtl(args, { ...environment, ...more }, input);
  const anonymous = (text: string) => text.replaceAll(folder, "FOLDER");
  return {
    ...{ stack, folder, environment, ctl, end },
    session: async (name, steps) => {
      const transcript = new Transcript();
      const all: Ran[] = [];
      for (const args of steps) {
        const ran = await ctl(args);
        transcript.add(args.map(anonymous), {
          ...ran,
          stdout: anonymous(ran.stdout),
          stderr: anonymous(ran.stderr),
        });
        all.push(ran);
      }
      assert.equal(transcript.text, stored(name, transcript.text));
      return all;
    },
    file: (name, content) => {
      const path = join(folder, name);
      writeFileSync(path, content);
      chmodSync(path, 0o600);
      return path;
    },
    definePull: async (id, table) => {
      await stack.api.post(`/tenants/${TENANT}/pulls`, {
        id,
        definition: {
          connection: CONNECTION,
          operation: { op: "sql.table", table, columns: "*" },
          watermark: "rowversion",
          schedule: { cron: "0 2 1 1 *", timezone: "Europe/Oslo" },
        },
      });
    },
  };
}
