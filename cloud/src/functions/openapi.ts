import { describeApi } from "../access/openapi.ts";
import { serveOpen } from "../serve.ts";

serveOpen("openapi", async () => describeApi());
