/** Puts together what answers: the live parts of each kind of session, and the application over them. Never listens. */

import { type App, type AppDeps, createApp } from "./app.ts";
import type { Config } from "./config.ts";
import { openListener } from "./database/listener.ts";
import { createEndings } from "./events/endings.ts";
import { createEventStreams, type EventStreams } from "./events/sse.ts";
import { createUserAuth } from "./http/user-auth.ts";
import { boundConnections } from "./open-files.ts";
import { openCounters } from "./sessions/device/counters.ts";
import { lookForEndings } from "./sessions/device/index.ts";
import { openRoomEvents } from "./sessions/waiting-room/index.ts";
import { readVersion } from "./version.ts";

/** Of the connections of a process, how many may be streams; the others are for who calls and goes. */
const STREAMS_SHARE = 3 / 4;

type FromConfig = "heartbeatSeconds" | "corsOrigins" | "trustProxy" | "allowedHosts" | "limits";
type MadeHere = "endings" | "streams" | "roomEvents" | "userAuth" | "countRefusal" | "version";

/** What a process has already when it comes to answer. */
export interface Given extends Omit<AppDeps, FromConfig | MadeHere> {
  /** Of the database, for a connection that listens. */
  url: string;
}

export interface Composition {
  app: App;
  streams: EventStreams;
  /** Ends the streams last, and everything that runs by the clock. */
  close(): Promise<void>;
}

export function compose(
  config: Pick<Config, FromConfig | "connectionsMax" | "userAuth" | "waitingRoom">,
  given: Given,
): Composition {
  const { database, url, log } = given;
  const streams = createEventStreams(Math.ceil(boundConnections(config.connectionsMax) * STREAMS_SHARE));
  const listener = openListener(url, log);
  const endings = createEndings({
    look: (sessionIds) => lookForEndings(database, sessionIds),
    listener,
    channel: "keybeat_ending",
    log,
  });
  const { waiterSeconds } = config.waitingRoom;
  const roomEvents = openRoomEvents({ database, listener, waiterSeconds, log });
  const counters = openCounters(database, log);
  const app = createApp({
    ...given,
    endings,
    streams,
    roomEvents,
    userAuth: createUserAuth(config.userAuth, "keybeat waiting room"),
    countRefusal: counters.countRefusal,
    version: readVersion(),
    heartbeatSeconds: config.heartbeatSeconds,
    corsOrigins: config.corsOrigins,
    trustProxy: config.trustProxy,
    allowedHosts: config.allowedHosts,
    limits: config.limits,
  });
  return {
    app,
    streams,
    async close() {
      endings.close();
      roomEvents.close();
      await Promise.all([streams.close(), listener.close(), counters.close()]);
    },
  };
}
