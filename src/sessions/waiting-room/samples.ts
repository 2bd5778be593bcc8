/** The waiting room as Prometheus sees it. */
import { counter, gauge, histogram, type Samples } from "../../metrics/samples.ts";
import type { RoomNumbers } from "./numbers.ts";

export function describeRoom(room: RoomNumbers): Samples {
  const now = (name: string, help: string, value: number) =>
    gauge(`keybeat_waiting_room_${name}`, help, "max", [[{}, value]]);
  return [
    now("active", "Users with a seat", room.active),
    now("seats", "Seats", room.seats),
    now("waiting", "Users in line", room.waiting),
    now("waiting_max", "So many may wait", room.waitingMax),
    now("requests", "Requests under way with a permit", room.requests),
    now("requests_max", "So many may be under way", room.requestsMax),
    now("paused", "1 while nobody is let in", room.paused ? 1 : 0),
    counter(
      "keybeat_waiting_room_moves_total",
      "What became of users: in line, let in, given up, passed over",
      Object.entries(room.moves).map(([move, count]) => [{ move }, count]),
    ),
    histogram("keybeat_waiting_room_wait_seconds", "In line, of those who were let in", [[{}, room.waitSeconds]]),
  ];
}
