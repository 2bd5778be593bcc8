import type { Call, Stream } from "./call.ts";
import type { RoomCall } from "./room-call.ts";

/** Is told all that the load has seen. */
export interface Recorder {
  call(call: Call): void;
  roomCall(call: RoomCall): void;
  stream(stream: Stream): void;
}
