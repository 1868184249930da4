/**
 * Loads a function app as a worker does and prints, as one JSON line, what it registered and how long that took:
 * `imported.ts DIR`. The app's settings are the environment. A process of its own, because a process holds one app.
 */
import { endRegistration } from "../emulators/functions-host/core.ts";
import { supplyCoreModule } from "../emulators/functions-host/core-resolution.ts";
import { loadApp } from "../emulators/functions-host/load-app.ts";

supplyCoreModule();
const startedMs = performance.now();
await loadApp(process.argv[2] ?? "");
const milliseconds = performance.now() - startedMs;
const functions = endRegistration().map(({ metadata }) => metadata);
process.stdout.write(`${JSON.stringify({ functions, milliseconds, residentBytes: process.memoryUsage.rss() })}\n`);
process.exit(0);
