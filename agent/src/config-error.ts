/** The configuration is missing, or says what it must not. The message is for its owner. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** What cannot be done just now, and may be later without anybody mending anything. The message is for its owner. */
export class NotNowError extends Error {
  override readonly name = "NotNowError";
}
