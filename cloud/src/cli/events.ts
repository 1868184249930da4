/** `sallyportctl events list`. */
import { type CloudEvent, eventType, storedEvent } from "@sallyport/shared/schema/events.ts";
import { type Command, createOption, InvalidArgumentError } from "commander";
import { table } from "./print.ts";
import type { CommonOptions } from "./settings.ts";
import { does, verb } from "./verb.ts";
import { when } from "./words.ts";

interface ListOptions extends CommonOptions {
  readonly lines: number;
  readonly type?: string;
}

const MOST = 1000;

export function addEvents(program: Command): void {
  const events = program.command("events").description("what was told of a tenant, kept for 30 days");
  does<ListOptions>(
    verb(
      events,
      "list",
      "newest first; with --json as they were told",
      "events list --tenant contoso",
      "events list --type sallyport.pull.stale -n 100",
    )
      .option("-n, --lines <count>", `how many at most, up to ${MOST}`, asLines, 20)
      .addOption(createOption("--type <type>", "only these").choices(eventType.options)),
    async (call, { lines, type }) => {
      const path = `${call.tenantPath()}/events`;
      // Chosen here, so all pages that could hold one are read.
      const all = await call.api.list(path, storedEvent, type === undefined ? lines : MOST);
      const shown = all.filter((one) => type === undefined || one.type === type).slice(0, lines);
      const rows = shown.map((one) => [when(one.time, Date.now()), one.type, one.subject, factsOf(one)]);
      const none = [`Nothing was told of tenant ${call.tenant()} that fits.`];
      call.print(shown, shown.length === 0 ? none : table(["TIME", "TYPE", "ABOUT", "FACTS"], rows));
    },
  );
}

/** What is not said by its type and its subject. */
const factsOf = ({ data }: CloudEvent): string =>
  Object.entries(data)
    .filter(([name, value]) => value !== null && !["tenant", "pull", "agent", "webhook"].includes(name))
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(" ");

function asLines(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= MOST) return value;
  throw new InvalidArgumentError(`give a number from 1 to ${MOST}`);
}
