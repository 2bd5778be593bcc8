/** Faults caused by a sender: nothing of ours is broken, but somebody sends what no honest device sends. */
import type { Fault } from "../fault.ts";
import { chunkedGigabyte } from "./chunked-gigabyte.ts";
import { deepJson } from "./deep-json.ts";
import { fuzz } from "./fuzz.ts";
import { manyHeaders } from "./many-headers.ts";
import { randomBytes } from "./random-bytes.ts";
import { slowLoris } from "./slow-loris.ts";

export const hostileFaults: Fault[] = [slowLoris, chunkedGigabyte, manyHeaders, deepJson, randomBytes, fuzz];
