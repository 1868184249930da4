/** `npm run release`: see `--help`. */
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { channel, ring } from "@sallyport/shared/release/manifest.ts";
import { readPublisherKey } from "../manifest.ts";
import { ROOT } from "../root.ts";
import { type Artefact, makeRelease, type Publisher, releaseTime } from "./release.ts";
import type { ForWindows } from "./windows.ts";

const HELP = `Makes what people install, in dist/release: the agent as a .deb, as a container image and as a tar.gz for updates, for this
machine's architecture, and as a single executable; the function app's zip; bills of materials, the provenance of it all, and
SHA256SUMS over all.

  npm run release
  npm run release -- --out DIR    elsewhere; DIR is emptied first
  npm run release -- --windows    also for Windows x64, a zip and an installer; Node for it is fetched by npm and held against
                                  release/inputs.json. Needs Debian's wixl and msitools
    --authenticode-key FILE       signs program and installer for Windows with this key (PEM); needs osslsigncode
    --authenticode-certificate FILE
                                  the publisher's certificate, then those between it and the root (PEM)
    --authenticode-passphrase FILE
                                  the key's passphrase, one line
    --authenticode-timestamp URL  of an RFC 3161 authority, which says when; without it the signature ends with the certificate

  npm run release -- --key FILE   signed by this Ed25519 key (PEM): manifest.json and SHA256SUMS with a minisign signature each, and
                                  an agent that takes updates by this key only. Without it nothing is signed, and no update taken
    --channel NAME                stable (the default) or preview
    --ring NAME                   first (the default), early or broad
    --minimum VERSION             the oldest version that may go to this one directly (0.0.0)

The same commit and key give the same bytes in any folder; SOURCE_DATE_EPOCH takes the place of the commit's time.
`;

const { values } = parseArgs({
  options: {
    out: { type: "string", default: join(ROOT, "dist/release") },
    windows: { type: "boolean", default: false },
    "authenticode-key": { type: "string" },
    "authenticode-certificate": { type: "string" },
    "authenticode-passphrase": { type: "string" },
    "authenticode-timestamp": { type: "string" },
    key: { type: "string" },
    channel: { type: "string", default: "stable" },
    ring: { type: "string", default: "first" },
    minimum: { type: "string", default: "0.0.0" },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const folder = resolve(values.out);
const made = await release().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
async function release(): Promise<Artefact[]> {
  const epochSeconds = releaseTime();
  if (values.key === undefined) return await makeRelease(folder, epochSeconds, undefined, forWindows());
  const publisher: Publisher = {
    key: readPublisherKey(values.key),
    channel: channel.parse(values.channel),
    ring: ring.parse(values.ring),
    minimum: values.minimum,
    notBefore: new Date(epochSeconds * 1000),
  };
  return await makeRelease(folder, epochSeconds, publisher, forWindows());
}
function forWindows(): ForWindows | undefined {
  const [key, certificate] = [values["authenticode-key"], values["authenticode-certificate"]];
  if ((key === undefined) !== (certificate === undefined))
    throw new Error("--authenticode-key and --authenticode-certificate go together.");
  if (!values.windows && key !== undefined) throw new Error("--authenticode-key goes with --windows.");
  if (!values.windows) return undefined;
  if (key === undefined || certificate === undefined) return {};
  const passphrase = values["authenticode-passphrase"];
  return { authenticode: { key, certificate, passphrase, timestampUrl: values["authenticode-timestamp"] } };
}
const lines = made.map(({ name, bytes }) => `  ${name.padEnd(48)}${(bytes / 1e6).toFixed(1).padStart(8)} MB`);
process.stdout.write(`${relative(process.cwd(), folder) || "."}\n${lines.join("\n")}\n`);
