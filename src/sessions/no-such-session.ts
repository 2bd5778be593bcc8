import { AppError } from "../errors.ts";

/** Also of one that the caller may not see. */
export const noSuchSession = () => new AppError("session_not_found", "There is no such session");
