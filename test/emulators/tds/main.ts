/**
 * The emulator as a process: one JSON object of options on stdin, `{"port":…}` on stdout when it listens. It ends on
 * SIGTERM and when stdin closes.
 */
import { z } from "zod";
import { startTds } from "./start.ts";

const names = z.array(z.string()).default([]);
const rightsSchema = z.strictObject({
  select: names,
  insert: names,
  update: names,
  delete: names,
  execute: names,
  viewChangeTracking: names,
  viewDatabaseState: names,
  roles: names,
});
const optionsSchema = z.strictObject({
  port: z.number().int().min(0).max(65_535).default(0),
  tls: z.strictObject({ key: z.string(), cert: z.string() }),
  logins: z.array(
    z.strictObject({
      name: z.string().min(1),
      password: z.string(),
      rights: z.union([z.enum(["sysadmin", "admin", "owner", "read"]), rightsSchema]).default("sysadmin"),
    }),
  ),
  databases: z.array(z.string().min(1)).min(1),
  directory: z.string().optional(),
  /** T-SQL that fills the first database before anyone is let in. */
  setup: z.string().default(""),
});

const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
process.once("SIGTERM", () => stop());
process.once("SIGINT", () => stop());
process.stdin.once("end", () => stop());

const { setup, directory, ...options } = optionsSchema.parse(JSON.parse(await firstLine()));
const tds = await startTds(directory === undefined ? options : { ...options, directory });
await tds.sql(setup);
process.stdout.write(`${JSON.stringify({ port: tds.port })}\n`);
await stopped;
await tds.close();
process.stdin.destroy();

/** The options are one line, so that stdin can stay open as a sign that the parent lives. */
async function firstLine(): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (text.includes("\n")) break;
  }
  process.stdin.resume();
  return text.split("\n")[0] ?? "";
}
