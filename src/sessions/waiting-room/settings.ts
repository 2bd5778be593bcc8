import { z } from "zod";
import { type Settings, wholeNumber } from "../../environment.ts";
import type { RoomSettings } from "./sql.ts";

export interface WaitingRoomSettings {
  room: RoomSettings;
  /** Whether a user must prove by a token who it is. */
  userTokens: boolean;
  /** Places that are asked for, an address; 0: any number. */
  placesPerMinute: number;
}

const shape = {
  QUEUE_MAX_ACTIVE: wholeNumber(0, 1_000_000).default(20),
  QUEUE_MAX_REQUESTS: wholeNumber(0, 1_000_000).default(10),
  QUEUE_SESSION_TIMEOUT_SECONDS: wholeNumber(1, 2_592_000).default(1800),
  QUEUE_WAITER_TIMEOUT_SECONDS: wholeNumber(1, 86_400).default(60),
  QUEUE_CLAIM_SECONDS: wholeNumber(1, 86_400).default(60),
  QUEUE_MAX_WAITING: wholeNumber(0, 1_000_000).default(10_000),
  QUEUE_REQUEST_TIMEOUT_SECONDS: wholeNumber(1, 86_400).default(300),
  QUEUE_AUTH: z.enum(["none", "jwt"]).default("none"),
  LIMIT_PLACES: wholeNumber(0, 1_000_000).default(6_000),
};

export const waitingRoomSettings: Settings<WaitingRoomSettings, typeof shape> = {
  shape,
  read: (values) => ({
    room: {
      maxActive: values.QUEUE_MAX_ACTIVE,
      maxRequests: values.QUEUE_MAX_REQUESTS,
      maxWaiting: values.QUEUE_MAX_WAITING,
      seatSeconds: values.QUEUE_SESSION_TIMEOUT_SECONDS,
      waiterSeconds: values.QUEUE_WAITER_TIMEOUT_SECONDS,
      claimSeconds: values.QUEUE_CLAIM_SECONDS,
      requestSeconds: values.QUEUE_REQUEST_TIMEOUT_SECONDS,
    },
    userTokens: values.QUEUE_AUTH === "jwt",
    placesPerMinute: values.LIMIT_PLACES,
  }),
  wantsUserTokens: ({ QUEUE_AUTH }) => (QUEUE_AUTH === "jwt" ? { name: "QUEUE_AUTH", value: QUEUE_AUTH } : undefined),
};
