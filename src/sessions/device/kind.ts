import { feedDescription } from "../../admin/feed/description.ts";
import { eventRoute } from "../../admin/feed/event-route.ts";
import { createFeed } from "../../admin/feed/feed.ts";
import { openCounters } from "../../admin/numbers/counters.ts";
import { numbersRoute } from "../../admin/numbers/routes.ts";
import { sessionDescription } from "../../admin/sessions/description.ts";
import { sessionRoutes } from "../../admin/sessions/session-routes.ts";
import { untilFree } from "../../database/locked.ts";
import { createEndings } from "../../events/endings.ts";
import { servePost } from "../../http/post-route.ts";
import type { Kind } from "../kind.ts";
import { cleanUpSessions } from "./clean-up.ts";
import { createDeviceCounts } from "./counts.ts";
import { deviceErrors, devicePart } from "./description.ts";
import { createHeartbeats, createPingPongReport, lookForEndings } from "./index.ts";
import { heartbeatRoute, otherRoutes, watchRoutes } from "./routes.ts";
import { describeSessions, readPopulation } from "./samples.ts";
import { type DeviceSettings, deviceSettings } from "./settings.ts";
import { setSessionTimeout } from "./sql.ts";

/** One live device per access key (see index.ts). */
export const device = {
  name: "device",
  settings: deviceSettings,
  tables: ["active_sessions", "session_history", "live_peaks", "refusal_counts"],
  part: devicePart,
  adminPart: {
    schemas: { ...sessionDescription.schemas, ...feedDescription.schemas },
    routes: [...sessionDescription.routes, ...feedDescription.routes],
  },
  errors: deviceErrors,

  open({ settings, database, counts, log }) {
    const { sessionTimeoutSeconds, heartbeatSeconds } = settings;
    const counted = createDeviceCounts();
    return {
      async settle() {
        const before = await untilFree(log, "the session timeout of this installation", () =>
          setSessionTimeout(database, sessionTimeoutSeconds),
        );
        if (before === undefined) return;
        log.info({ before, now: sessionTimeoutSeconds }, "the session timeout of this installation has changed");
      },
      cleanUp: (order) => cleanUpSessions(database, log, order),
      samples: () => describeSessions(counted, [...counts.routes.values()]),
      readSamples: () => readPopulation(database),

      mount(app, serving) {
        const { listener, streams, hashKey, readAddress } = serving;
        const endings = createEndings({
          look: (sessionIds) => lookForEndings(database, sessionIds),
          listener,
          channel: "keybeat_ending",
          log,
        });
        const counters = openCounters(database, log);
        const sessions = {
          database,
          hashKey,
          heartbeatSeconds,
          heartbeats: createHeartbeats(database, counted.batches),
          countRefusal: counters.countRefusal,
          unknownKeys: serving.createLimit({
            name: "unknown-key",
            perMinute: settings.unknownKeysPerMinute,
            message: "Too many unknown access keys from this address, please try again in a minute",
          }),
          startsMax: settings.startsPerMinute,
          reportPingPong: createPingPongReport(log, counted),
          counts: counted,
          endings,
          streams,
        };
        const heartbeat = heartbeatRoute(sessions);
        for (const route of [heartbeat, ...otherRoutes(sessions)]) app.post(route.path, servePost(route, readAddress));
        app.route("/api/session", watchRoutes(sessions));
        return {
          heartbeat,
          mountAdmin(admin, { findEnded }) {
            admin.route("/sessions", sessionRoutes({ database, hashKey }));
            admin.route("/", numbersRoute(database));
            admin.route("/", eventRoute(createFeed(database, log), streams, findEnded));
          },
          async close() {
            endings.close();
            await counters.close();
          },
        };
      },
    };
  },
} as const satisfies Kind<DeviceSettings>;
