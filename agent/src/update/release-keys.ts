/**
 * Public keys of the publisher, as lines of minisign. A program run from sources knows none and takes no update; building a release
 * puts the publisher's in this module's place (test/build/agent.ts).
 */
export const RELEASE_KEYS: readonly string[] = [];
