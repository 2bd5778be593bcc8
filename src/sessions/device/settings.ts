import { z } from "zod";
import { type Settings, wholeNumber } from "../../environment.ts";

export interface DeviceSettings {
  sessionTimeoutSeconds: number;
  /** The longest heartbeat_in. Never over half the timeout, so that one lost beat costs no session. */
  heartbeatSeconds: number;
  /** Calls with a key that does not exist, an address; 0: any number. */
  unknownKeysPerMinute: number;
  /** Sessions that end, a key; 0: any number. */
  startsPerMinute: number;
  /** The longest lease; 0: none are given. */
  offlineHoursMax: number;
  /** Whether there is the page /key, and what it calls. */
  keyPage: boolean;
}

const shape = {
  SESSION_TIMEOUT_SECONDS: wholeNumber(1, 86_400).default(60),
  HEARTBEAT_SECONDS: wholeNumber(1, 86_400).default(30),
  LIMIT_UNKNOWN_KEYS: wholeNumber(0, 1_000_000).default(120),
  LIMIT_STARTS: wholeNumber(0, 10_000).default(600),
  OFFLINE_HOURS_MAX: wholeNumber(0, 8784).default(0),
  KEY_PAGE: z.enum(["on", "off"]).default("on"),
};

export const deviceSettings: Settings<DeviceSettings, typeof shape> = {
  shape,
  read: (values) => ({
    sessionTimeoutSeconds: values.SESSION_TIMEOUT_SECONDS,
    heartbeatSeconds: Math.min(values.HEARTBEAT_SECONDS, values.SESSION_TIMEOUT_SECONDS / 2),
    unknownKeysPerMinute: values.LIMIT_UNKNOWN_KEYS,
    startsPerMinute: values.LIMIT_STARTS,
    offlineHoursMax: values.OFFLINE_HOURS_MAX,
    keyPage: values.KEY_PAGE === "on",
  }),
};
