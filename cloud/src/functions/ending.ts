import { app } from "@azure/functions";
import { ending } from "../compose.ts";

app.hook.preInvocation(ending.began);
app.hook.postInvocation(ending.over);
// The worker exits when this is over.
app.hook.appTerminate(ending.end);
// For hosts that signal; Azure's does not.
process.once("SIGTERM", () => void ending.end());
