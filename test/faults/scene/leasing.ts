/** A server's settings with which it gives leases. */
import { createSeed } from "../../../src/trust/signing-keys.ts";

/** All servers of a run sign with one key. */
export const LEASING = { OFFLINE_HOURS_MAX: "1", SIGNING_KEY: createSeed() };
