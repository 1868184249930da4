import { channel } from "@sallyport/shared/release/manifest.ts";
import { version } from "@sallyport/shared/release/version.ts";
import { newRelease, releaseRing } from "@sallyport/shared/schema/api-releases.ts";
import { orchestrator } from "../compose.ts";
import { serve } from "../serve.ts";
import { addRelease, listReleases, setRing } from "../updates/releases.ts";

serve("releases-add", async (call) => addRelease((await orchestrator()).releases, call.body(newRelease)));

serve("releases-list", async () => listReleases((await orchestrator()).releases));

serve("releases-ring", async (call) => {
  const of = channel.parse(call.param("channel", channel));
  return setRing((await orchestrator()).releases, of, call.param("version", version), call.body(releaseRing).ring);
});
