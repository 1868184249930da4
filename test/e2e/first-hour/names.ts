/** What differs in the first hour each time it is run. */
import { BOTH, type Differs } from "../transcripts/names.ts";

export const DIFFERS: Differs = [
  ...BOTH,
  [/DNS \d+, TCP \d+, TLS \d+ ms/g, "STEPS"],
  [/\b\d+ ms\b/g, "MS"],
  [/pid \d+ {2}\S+/g, "pid PID  ACCOUNT"],
  [/process up \d+ [smh]/g, "process up UP"],
  [/control channel \d+ [smh]/g, "control channel UP"],
  [/expires (AHEAD|in [\d hm]+ [hms]\b)/g, "expires AHEAD"],
  [/CLOCK {2}[+-]\d+\.\d s/g, "CLOCK  OFFSET"],
  [/last (\d{4}-\d\d-\d\d )?\d\d:\d\d\b/g, "last CLOCK"],
  [/\b\d\d:\d\d:\d\d\b/g, "CLOCK"],
  [/\b(\d+(\.\d+)?|[\d,]+) ([kMGT]i?)?B\b( of 100 GiB)?/g, "SIZE"],
  [/\b\d+ [MG]iB free/g, "SPACE free"],
  [/SIZE free/g, "SPACE free"],
  [/ends in \d+ days/g, "ends in DAYS"],
  [/issued by "[^"]*"(, trusted by this machine's own list)?/g, "issued by AUTHORITY"],
  [/\d+ lines, chain ok/g, "LINES, chain ok"],
  [/took \d+ [sm]\b/g, "took TOOK"],
  [/(?<=SIZE {2,})([\d,]+ rows\/s|-)/g, "RATE"],
  [/[\d,]+(?= +pull:)/g, "MS"],
  [/(?<=ok {2,}2,000 {2,})([\d,.]+( kB)?|SIZE)/g, "SIZE"],
  [/\d+ lines from 1/g, "LINES from 1"],
  [/(?<=^JOURNAL {2,})line \d+/gm, "LINE"],
  [/\d+ since start/g, "SERVED since start"],
  // A canary may have come by then, or not.
  [/(?<=control channel UP, )(no canary since start|last canary AGO)(, a request AGO)?/g, "CANARY"],
  // Who runs the test owns the files, as root or not.
  [/\d+ ok, \d+ warnings?(, \d+ failed)?(?=: run)/g, "CHECKS"],
  [/the agent's files are root's|the agent's account can change .*/g, "OWNERS"],
  [/^files {2,}(Give|Let) .*$/gm, "files  OWNERS"],
];
