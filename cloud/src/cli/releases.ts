/** `sallyportctl releases add|list|ring`: releases of the agent, for the platform team (docs/update.md). */
import { channel, RINGS, type Ring } from "@sallyport/shared/release/manifest.ts";
import { version } from "@sallyport/shared/release/version.ts";
import { addedRelease, type ReleaseView, releaseView } from "@sallyport/shared/schema/api-releases.ts";
import { type Command, createArgument, InvalidArgumentError } from "commander";
import { z } from "zod";
import { CliError, EXIT } from "./exit.ts";
import { table } from "./print.ts";
import { checkedFile, readRelease } from "./release-folder.ts";
import { type CommonOptions, readSettings } from "./settings.ts";
import { upload } from "./upload.ts";
import { type Call, does, verb } from "./verb.ts";
import { bytes, when } from "./words.ts";

/** Takes a release back. */
const NONE = "none";

export function addReleases(program: Command): void {
  const releases = program.command("releases").description("versions of the agent that agents update to");
  does<CommonOptions>(
    verb(
      releases,
      "add",
      "stores a release and its files, offered to nobody yet; the same again goes on with what is missing",
      "releases add dist/release",
    ).addArgument(createArgument("<folder>", "with manifest.json, manifest.json.minisig and the files that they name")),
    add,
  );
  does(
    verb(releases, "list", "all releases, newest first, and how far each has been let go", "releases list"),
    async ({ api, print }) => {
      const all = await api.get("/releases", z.array(releaseView));
      const heads = ["VERSION", "CHANNEL", "RING", "SIGNED FOR", "NOT BEFORE", "ADDED", "PLATFORMS"];
      const rows = all.map((one) => [
        one.version,
        one.channel,
        one.ring ?? NONE,
        one.publishedTo,
        one.notBefore,
        when(one.addedAt, Date.now()),
        one.files.map(({ platform }) => platform).join(" "),
      ]);
      const none = ["There is no release yet. Next: sallyportctl releases add FOLDER"];
      print(all, all.length === 0 ? none : table(heads, rows));
    },
  );
  does(
    verb(
      releases,
      "ring",
      "lets a release go to the agents of a ring and those before it, or with none takes it back",
      "releases ring stable 1.4.2 first",
      "releases ring stable 1.4.2 none",
    )
      .addArgument(createArgument("<channel>", "which").choices(channel.options))
      .addArgument(createArgument("<version>", "which").argParser(asVersion))
      .addArgument(createArgument("<ring>", "how far").choices([...RINGS, NONE])),
    async ({ api, print }, _, of = "", which = "", wanted = "") => {
      const ring = wanted === NONE ? null : (wanted as Ring);
      const one = await api.put(`/releases/${of}/${which}/ring`, { ring }, releaseView);
      print(one, [sentence(one)]);
    },
  );
}

/** Files are looked at before the orchestrator is asked: what is stored half is of no use to an agent. */
async function add({ api, print, json }: Call, options: CommonOptions, folder = ""): Promise<void> {
  const { body, files } = readRelease(folder);
  const paths = new Map<string, string>();
  for (const file of files) paths.set(file.name, await checkedFile(folder, file));
  const { release, upload: missing } = await api.post("/releases", body, addedRelease);
  const { caPem, origin } = readSettings(options);
  for (const [index, { name, url }] of missing.entries()) {
    const file = files.find((each) => each.name === name);
    const path = paths.get(name);
    if (file === undefined || path === undefined) {
      throw new CliError(EXIT.internal, `The orchestrator asks for ${name}, which the manifest does not name.`, "");
    }
    const progress = createProgress(`${index + 1} of ${missing.length}  ${name}`, file.bytes, json);
    await upload({ origin, url, file: path, bytes: file.bytes }, caPem, progress.at);
    progress.end();
  }
  const { version: which, channel: of } = release;
  const next = `Next: sallyportctl releases ring ${of} ${which} first`;
  const said = missing.length === 0 ? "All of its files were there already." : "Its files are stored.";
  print({ release, uploaded: missing.map(({ name }) => name) }, [
    `${said} ${sentence(release)}`,
    ...(release.ring === null ? [next] : []),
  ]);
}

const sentence = ({ version: which, channel: of, ring }: ReleaseView): string =>
  ring === null
    ? `Release ${which} of ${of} is offered to nobody.`
    : `Release ${which} of ${of} goes to the agents of ring ${ring}${ring === RINGS[0] ? "" : " and those before it"}.`;

const CLEAR_LINE = "\r\u001b[2K";

/** On a terminal a line that is replaced, elsewhere one for each file; on the standard error, and none with `--json`. */
function createProgress(what: string, all: number, json: boolean) {
  const out = process.stderr;
  let shown = "";
  const show = (line: string): void => {
    if (line === shown) return;
    shown = line;
    out.write(`${CLEAR_LINE}${line.slice(0, out.columns - 1)}`);
  };
  return {
    at: (sent: number): void => {
      if (out.isTTY && !json) show(`${what}  ${bytes(sent)} of ${bytes(all)}`);
    },
    end: (): void => {
      if (json) return;
      out.write(`${out.isTTY ? CLEAR_LINE : ""}${what}  ${bytes(all)}\n`);
    },
  };
}

function asVersion(text: string): string {
  const parsed = version.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError("give a version such as 1.4.2");
}
