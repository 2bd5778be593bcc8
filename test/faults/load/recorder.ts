import type { BatchCall } from "./batch-call.ts";
import type { Call, Copied, Stream } from "./call.ts";
import type { MatchCall } from "./match-call.ts";
import type { RoomCall } from "./room-call.ts";

/** Is told all that the load has seen. */
export interface Recorder {
  call(call: Call): void;
  roomCall(call: RoomCall): void;
  batchCall(call: BatchCall): void;
  matchCall(call: MatchCall): void;
  stream(stream: Stream): void;
  copied(copied: Copied): void;
}
