/** The configuration is missing, or says what it must not. The message is for its owner. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}
