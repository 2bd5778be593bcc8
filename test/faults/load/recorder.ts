import type { Call, Stream } from "./call.ts";
import type { RoomCall } from "./room-call.ts";

/** Takes down what the callers saw, as it happens. */
export interface Recorder {
  call(call: Call): void;
  roomCall(call: RoomCall): void;
  stream(stream: Stream): void;
}
