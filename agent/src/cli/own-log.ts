/** The running agent's log: JSON lines on its standard error. */
import pino, { type Logger } from "pino";

/** Of lines that could not be written: what is beyond is lost. */
const WAITING_BYTES = 2 ** 20;

/** A full disk behind it, or a reader that has gone, does not end the agent. @param fd for tests */
export function openLog(fd = 2): Logger {
  const out = pino.destination({ dest: fd, sync: true, maxLength: WAITING_BYTES });
  // What was not taken is tried again with the next line.
  out.on("error", () => {});
  return pino({ base: { pid: process.pid } }, out);
}
