export {
  ERRORS,
  type ErrorCode,
  type ErrorDetail,
  isErrorCode,
  isRetryable,
  SallyportError,
} from "./protocol/errors.ts";
