/** How the executor's code is loaded in the single executable, which holds the bundle's script and its compiled code. */
import { runAsset } from "../executable/asset.ts";

export const loadScript = async (): Promise<typeof import("./script.ts")> =>
  runAsset("serve.js") as typeof import("./script.ts");
