/** `sallyportctl webhooks list|create|show|rotate|test|remove|dead|replay`. */
import {
  createdWebhook,
  deadLetterView,
  eventType,
  replayed,
  rotatedWebhook,
  testedWebhook,
  type WebhookView,
  webhookView,
} from "@sallyport/shared/schema/events.ts";
import { plain } from "@sallyport/shared/terminal.ts";
import { type Command, createArgument, InvalidArgumentError } from "commander";
import { z } from "zod";
import { CliError, EXIT } from "./exit.ts";
import { facts, table } from "./print.ts";
import { openSecretFile } from "./secret.ts";
import type { CommonOptions } from "./settings.ts";
import { type Call, demandYes, does, nameArgument, verb } from "./verb.ts";
import { count, when } from "./words.ts";

interface CreateOptions extends CommonOptions {
  readonly to: string;
  readonly type?: readonly string[];
  readonly save?: string;
}
interface RotateOptions extends CommonOptions {
  readonly save?: string;
  readonly overlapHours: number;
}
interface YesOptions extends CommonOptions {
  readonly yes?: boolean;
}
interface ReplayOptions extends CommonOptions {
  readonly all?: boolean;
}

const webhookArgument = () => nameArgument("<webhook>", "a webhook's id, as `webhooks list` shows it");
const SAVE = ["--save <file>", "into a new file of mode 0600, and not on the screen"] as const;
const pathOf = (call: Call, id: string): string => `${call.tenantPath()}/webhooks/${id}`;

export function addWebhooks(program: Command): void {
  const webhooks = program.command("webhooks").description("receivers of signed events (docs/events.md)");
  does(verb(webhooks, "list", "all webhooks of the tenant", "webhooks list --tenant contoso"), async (call) => {
    const all = await call.api.list(`${call.tenantPath()}/webhooks`, webhookView);
    const rows = all.map((one) => [one.id, one.url, one.types?.join(" ") ?? "(all)", failingText(one, Date.now())]);
    const none = [`Tenant ${call.tenant()} has no webhook. Next: sallyportctl webhooks create NAME --to https://…`];
    call.print(all, all.length === 0 ? none : table(["WEBHOOK", "TO", "TYPES", "FAILING"], rows));
  });
  does<CreateOptions>(
    verb(
      webhooks,
      "create",
      "sends events to a URL from now on; the signing secret is shown, or saved, this once",
      "webhooks create ops --to https://hooks.contoso.example/sallyport --save ops.secret",
      "webhooks create pager --to https://hooks.contoso.example/page --type sallyport.run.failed --type sallyport.pull.stale",
    )
      .addArgument(nameArgument("<id>", "1 to 40 of a-z, 0-9 and -"))
      .requiredOption("--to <url>", "where events are sent; https, and public")
      .option("--type <type>", `only these; repeat it. One of ${eventType.options.join(", ")}`, oneMoreType)
      .option(...SAVE),
    async (call, { to, type, save }, id = "") => {
      const body = { id, url: to, ...(type && { types: type }) };
      await withSecret(
        call,
        save,
        async () => call.api.post(`${call.tenantPath()}/webhooks`, body, createdWebhook),
        (made) => [`Webhook ${made.id} is there. Next: sallyportctl webhooks test ${made.id}`],
      );
    },
  );
  does(
    verb(webhooks, "show", "a webhook, and why its deliveries fail", "webhooks show ops").addArgument(
      webhookArgument(),
    ),
    async (call, _, id = "") => {
      const one = await call.api.get(pathOf(call, id), webhookView);
      call.print(one, describe(one, Date.now()));
    },
  );
  does<RotateOptions>(
    verb(
      webhooks,
      "rotate",
      "a new signing secret; the one before signs too until the overlap is over",
      "webhooks rotate ops --save ops-2.secret",
      "webhooks rotate ops --overlap-hours 0",
    )
      .addArgument(webhookArgument())
      .option(...SAVE)
      .option("--overlap-hours <count>", "0 to 168; 0 ends the old one at once", asHours, 24),
    async (call, { save, overlapHours }, id = "") => {
      const body = { overlapSeconds: overlapHours * 3600 };
      await withSecret(
        call,
        save,
        async () => call.api.post(`${pathOf(call, id)}/rotate`, body, rotatedWebhook),
        (made) => [`The secret before signs too until ${made.previousUntil}: give receivers the new one by then.`],
      );
    },
  );
  does(
    verb(webhooks, "test", "sends a test event to this webhook only", "webhooks test ops").addArgument(
      webhookArgument(),
    ),
    async (call, _, id = "") => {
      const sent = await call.api.post(`${pathOf(call, id)}/test`, {}, testedWebhook);
      call.print(sent, [`Event ${sent.event} is on its way. Did it fail? sallyportctl webhooks show ${id}`]);
    },
  );
  does<YesOptions>(
    verb(webhooks, "remove", "ends a webhook, and drops what waits for it", "webhooks remove ops --yes")
      .addArgument(webhookArgument())
      .option("--yes", "do it"),
    async (call, options, id = "") => {
      demandYes(options, `Webhook ${id} would get nothing more, not even what waits for it.`);
      const gone = await call.api.post(`${pathOf(call, id)}/remove`, {}, z.object({ id: z.string() }));
      call.print(gone, [`Webhook ${gone.id} is gone.`]);
    },
  );
  addDeadLetters(webhooks);
}

function addDeadLetters(webhooks: Command): void {
  does(
    verb(webhooks, "dead", "events that were given up after a day, oldest first", "webhooks dead ops").addArgument(
      webhookArgument(),
    ),
    async (call, _, id = "") => {
      const all = await call.api.list(`${pathOf(call, id)}/dead-letters`, deadLetterView);
      const rows = all.map((one) => [
        one.id,
        one.event.type,
        one.event.id,
        count(one.attempts),
        when(one.deadAt, Date.now()),
        `${one.failure.code}: ${one.failure.detail}`,
      ]);
      const heads = ["LETTER", "TYPE", "EVENT", "TRIES", "GIVEN UP", "LAST FAILURE"];
      call.print(all, all.length === 0 ? [`Webhook ${id} has no dead letter.`] : table(heads, rows));
    },
  );
  does<ReplayOptions>(
    verb(
      webhooks,
      "replay",
      "sends a dead letter once more, or with --all all that `webhooks dead` shows",
      "webhooks replay ops pulls.orders.17",
      "webhooks replay ops --all",
    )
      .addArgument(webhookArgument())
      .addArgument(createArgument("[letter]", "as `webhooks dead` shows it").argParser(asLetter))
      .option("--all", "all of them"),
    async (call, { all }, id = "", letter) => {
      if ((letter === undefined) !== (all === true)) {
        throw new CliError(EXIT.usage, "Which letters?", "Name one, or add --all.");
      }
      const path = letter === undefined ? "dead-letters/replay" : `dead-letters/${letter}/replay`;
      const done = await call.api.post(`${pathOf(call, id)}/${path}`, {}, replayed);
      call.print(done, [`On their way again: ${count(done.replayed)}.`]);
    },
  );
}

/** Makes something with a secret, which is shown or saved this once. The file is opened before: a secret that could not be saved would be lost. */
async function withSecret<T extends { readonly id: string; readonly secret: string }>(
  { print }: Call,
  save: string | undefined,
  make: () => Promise<T>,
  next: (made: T) => readonly string[],
): Promise<void> {
  const file = save === undefined ? undefined : openSecretFile(save);
  try {
    const made = await make();
    file?.write(made.secret);
    const { secret, ...rest } = made;
    if (file === undefined) print(made, [plain(secret), ...next(made)]);
    else print({ ...rest, saved: save }, [`The secret is in ${save}.`, ...next(made)]);
  } catch (error) {
    file?.remove();
    throw error;
  }
}

const failingText = ({ failing }: WebhookView, nowMs: number): string =>
  failing === null ? "no" : `since ${when(failing.since, nowMs)}: ${failing.last.code}`;

const describe = (one: WebhookView, nowMs: number): string[] =>
  facts([
    ["WEBHOOK", one.id],
    ["TO", one.url],
    ["TYPES", one.types?.join(", ") ?? "all"],
    ["CREATED", one.createdAt],
    ["FAILING", one.failing === null ? "no" : `since ${one.failing.since} (${when(one.failing.since, nowMs)})`],
    ["LAST", one.failing === null ? undefined : `${one.failing.last.code}: ${one.failing.last.detail}`],
  ]);

function oneMoreType(text: string, before: readonly string[] = []): readonly string[] {
  const parsed = eventType.safeParse(text);
  if (!parsed.success) throw new InvalidArgumentError(`one of ${eventType.options.join(", ")}`);
  return [...before, parsed.data];
}

function asHours(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= 168) return value;
  throw new InvalidArgumentError("give a number from 0 to 168");
}

function asLetter(text: string): string {
  const parsed = deadLetterView.shape.id.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError("a letter's id looks like pulls.orders.17");
}
