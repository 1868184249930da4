/** Answers of the API as the table of routes has them. */
export {
  agentView,
  cancelAnswer,
  createdCode,
  createdConnection,
  createdKey,
  keyView,
  listedConnection,
  listedPull,
  named,
  revokedKey,
  storedCredential,
} from "@sallyport/shared/schema/api-views.ts";
