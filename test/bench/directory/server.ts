/**
 * The directory of `directory`: the LDAP emulator in a process of its own, so that its CPU can be told apart. One line of JSON
 * comes in on stdin, one goes out when it listens; it ends with its stdin.
 */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { z } from "zod";
import { startDirectory } from "../../stack/directory.ts";

const lines = createInterface({ input: process.stdin });
const [line] = (await once(lines, "line")) as [string];
const { tls, caFile, people } = z
  .strictObject({ tls: z.object({ key: z.string(), cert: z.string() }), caFile: z.string(), people: z.int() })
  .parse(JSON.parse(line));
const { ldap, entry, credential } = await startDirectory(tls, caFile, people);
process.stdout.write(`${JSON.stringify({ port: ldap.ldapsPort, entry, credential })}\n`);
await once(lines, "close");
process.exit(0);
