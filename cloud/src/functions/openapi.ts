import { describeApi } from "../access/openapi.ts";
import { serveOpen } from "../serve.ts";

// Anybody may ask, and the answer is always the same: it is made once.
let description: Promise<ReturnType<typeof describeApi>> | undefined;

serveOpen("openapi", () => {
  description ??= Promise.resolve(describeApi());
  return description;
});
