/**
 * What the contract promises of the room, as the plainest program that keeps it: one caller at a time, everything in
 * memory, a clock that only moves when it is told to. Written from the contract, not from the SQL that it judges.
 */
import type { RoomSettings } from "../../../../src/sessions/waiting-room/sql.ts";
import type { Command } from "./model-commands.ts";

/** Small, and every timeout another, so that a story can meet each of them. */
export const SMALL_ROOM: RoomSettings = {
  maxActive: 2,
  maxRequests: 2,
  maxWaiting: 3,
  seatSeconds: 120,
  waiterSeconds: 60,
  claimSeconds: 45,
  requestSeconds: 50,
};

interface ModelPlace {
  user: string;
  priority: number;
  /** The order of coming. */
  ticket: number;
  seenAtSeconds: number;
  seatedAtSeconds: number | undefined;
  claimed: boolean;
}

interface ModelPermit {
  id: string;
  user: string;
  expiresAtSeconds: number;
}

/** The answer to a call in the fewest words that tell two different answers apart. */
export type Answer = { is: string } & Record<string, unknown>;

/** A command with its user and its permit filled in. */
export type Call = Exclude<Command, { do: "pass" }> & { userId: string; permitId: string };

export interface Reference {
  nowSeconds: number;
  places: ModelPlace[];
  permits: ModelPermit[];
  /** Every move of the story in order, as "move user". */
  moves: string[];
  line(): ModelPlace[];
  answer(call: Call): Answer;
}

export function createReference(): Reference {
  let capacity = SMALL_ROOM.maxActive;
  let paused = false;
  let lastTicket = 0;
  let everVacated = false;
  const reference: Reference = { nowSeconds: 0, places: [], permits: [], moves: [], line, answer };

  const seated = () => reference.places.filter((place) => place.seatedAtSeconds !== undefined);
  const find = (user: string) => reference.places.find((place) => place.user === user);

  function line(): ModelPlace[] {
    const waiting = reference.places.filter((place) => place.seatedAtSeconds === undefined);
    return waiting.sort((a, b) => b.priority - a.priority || a.ticket - b.ticket);
  }

  /** How a place is lost to silence, if it is. */
  function silence(place: ModelPlace): string | undefined {
    const silent = reference.nowSeconds - place.seenAtSeconds;
    if (place.seatedAtSeconds === undefined) return silent >= SMALL_ROOM.waiterSeconds ? "abandoned" : undefined;
    if (place.claimed) return silent >= SMALL_ROOM.seatSeconds ? "expired" : undefined;
    return reference.nowSeconds - place.seatedAtSeconds >= SMALL_ROOM.claimSeconds ? "unclaimed" : undefined;
  }

  function settle(): number {
    const lost = reference.places.filter((place) => silence(place)).sort((a, b) => a.ticket - b.ticket);
    for (const place of lost) remove(place, silence(place) as string);
    reference.permits = reference.permits.filter((permit) => permit.expiresAtSeconds > reference.nowSeconds);
    letIn();
    return lost.length;
  }

  function remove(place: ModelPlace, why: string): void {
    reference.places = reference.places.filter((other) => other !== place);
    reference.permits = reference.permits.filter((permit) => permit.user !== place.user);
    everVacated ||= place.seatedAtSeconds !== undefined;
    reference.moves.push(`${why} ${place.user}`);
  }

  function letIn(): void {
    while (!paused && seated().length < capacity && line().length > 0) seat(line()[0] as ModelPlace, "promoted");
  }

  function seat(place: ModelPlace, how: string): void {
    place.seatedAtSeconds = reference.nowSeconds;
    reference.moves.push(`${how} ${place.user}`);
  }

  function see(place: ModelPlace): void {
    if (place.seatedAtSeconds !== undefined && !place.claimed) reference.moves.push(`claimed ${place.user}`);
    place.claimed = place.seatedAtSeconds !== undefined;
    place.seenAtSeconds = reference.nowSeconds;
  }

  function describe(place: ModelPlace): Answer {
    if (place.seatedAtSeconds !== undefined) return { is: "active" };
    return { is: "queued", position: line().indexOf(place) + 1, estimated: everVacated };
  }

  function answer(call: Call): Answer {
    const lost = settle();
    const place = find(call.userId);
    switch (call.do) {
      case "create":
        return create(call, place);
      case "position":
        if (!place) return { is: "unknown" };
        see(place);
        return describe(place);
      case "close":
      case "remove": {
        const why = call.do === "remove" ? "removed" : place?.seatedAtSeconds === undefined ? "left" : "closed";
        if (place) remove(place, why);
        letIn();
        return { is: place ? why : "nothing" };
      }
      case "request":
        return request(call.permitId, place);
      case "give back": {
        const held = reference.permits.some(({ id }) => id === call.permitId);
        reference.permits = reference.permits.filter(({ id }) => id !== call.permitId);
        return { is: held ? "given back" : "nothing" };
      }
      case "cleanup":
        return { is: lost > 0 ? "some" : "none", removed: lost };
      case "status":
        return {
          is: "counts",
          active: seated().length,
          seats: capacity,
          waiting: line().length,
          free: Math.max(0, capacity - seated().length),
          requests: reference.permits.length,
        };
      default:
        return operate(call, place);
    }
  }

  function create(call: Call & { do: "create" }, place: ModelPlace | undefined): Answer {
    if (place) see(place);
    else {
      const waiting = line().length;
      const free = seated().length < capacity && !paused && waiting === 0;
      if (!free && waiting >= SMALL_ROOM.maxWaiting) return { is: "queue_full" };
      reference.places.push({
        user: call.userId,
        priority: call.priority,
        ticket: ++lastTicket,
        seenAtSeconds: reference.nowSeconds,
        claimed: free,
        seatedAtSeconds: free ? reference.nowSeconds : undefined,
      });
      reference.moves.push(`${free ? "seated" : "queued"} ${call.userId}`);
    }
    const due = describe(find(call.userId) as ModelPlace);
    return due.is === "active" ? due : { ...due, active: seated().length, seats: capacity };
  }

  function request(permitId: string, place: ModelPlace | undefined): Answer {
    if (place) see(place);
    if (place?.seatedAtSeconds === undefined) return { is: "not_active" };
    if (reference.permits.length >= SMALL_ROOM.maxRequests) return { is: "too_many_requests" };
    const expiresAtSeconds = reference.nowSeconds + SMALL_ROOM.requestSeconds;
    reference.permits.push({ id: permitId, user: place.user, expiresAtSeconds });
    return { is: "granted" };
  }

  function operate(call: Call, place: ModelPlace | undefined): Answer {
    const waiter = place?.seatedAtSeconds === undefined ? place : undefined;
    switch (call.do) {
      case "prioritise":
        if (!waiter) return { is: "not_waiting" };
        waiter.priority = call.priority;
        reference.moves.push(`prioritised ${waiter.user}`);
        return { is: "changed" };
      case "admit":
        if (!waiter) return { is: "not_waiting" };
        if (seated().length >= capacity) return { is: "full" };
        seat(waiter, "admitted");
        return { is: "admitted" };
      case "capacity":
        capacity = call.seats;
        reference.moves.push("capacity");
        break;
      default:
        paused = call.do === "pause";
        reference.moves.push(paused ? "paused" : "resumed");
    }
    letIn();
    return { is: "done" };
  }

  return reference;
}
