/**
 * Imported before any schema is made. Compiling one to JavaScript pays when it is used often: in an executor's life each
 * is used a few times, and the compiling was a tenth of its CPU; in a supervisor's it is memory (zod, `jitless`).
 */
import { z } from "zod";

z.config({ jitless: true });
