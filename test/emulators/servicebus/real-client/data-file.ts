import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { atEnd } from "./open.ts";

/** The name of a file for an emulator's messages, in a folder that goes with the test. */
export async function dataFile(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "servicebus-"));
  atEnd(t, () => rm(folder, { recursive: true }));
  return join(folder, "data.sqlite");
}
