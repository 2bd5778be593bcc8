import { deviceAdminPart } from "../../admin/device/description.ts";
import { deviceAdminRoutes } from "../../admin/device/routes.ts";
import { untilFree } from "../../database/locked.ts";
import { createEndings } from "../../events/endings.ts";
import type { Kind } from "../kind.ts";
import { cleanUpSessions } from "./cleanup.ts";
import { watchForCopies } from "./copy-watch.ts";
import { openCounters } from "./counters.ts";
import { createDeviceCounts } from "./counts.ts";
import { deviceErrors, devicePart } from "./description.ts";
import { createHeartbeats, createPingPongReport, lookForEndings } from "./index.ts";
import { keyPageRoutes } from "./key-page/routes.ts";
import { leaseRoutes } from "./lease-routes.ts";
import { ownerRoutes } from "./owner-routes.ts";
import { deviceRoutes, heartbeatRoute } from "./routes.ts";
import { describeSessions, readPopulation } from "./samples.ts";
import { type DeviceSettings, deviceSettings } from "./settings.ts";
import { setSessionTimeout } from "./sql.ts";

/** One live device per access key (see index.ts). */
export const device = {
  name: "device",
  settings: deviceSettings,
  tables: [
    ...["active_sessions", "session_history", "live_peaks", "refusal_counts"],
    ...["leases", "suspected_copies", "trust_state"],
  ],
  part: devicePart,
  adminPart: deviceAdminPart,
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
          heartbeats: createHeartbeats(database, counted),
          countRefusal: counters.countRefusal,
          countCopy: () => counted.copies++,
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
          readAddress,
        };
        app.route("/api/session", deviceRoutes(sessions));
        const { signingKeys } = serving;
        const { offlineHoursMax } = settings;
        app.route("/api/session/lease", leaseRoutes({ ...sessions, offlineHoursMax, signingKeys }));
        if (offlineHoursMax > 0 && signingKeys.length === 0) {
          log.warn(
            { OFFLINE_HOURS_MAX: offlineHoursMax },
            "no leases are given: they are signed, and there is no SIGNING_KEY",
          );
        }
        if (settings.keyPage) {
          app.route("/api/session", ownerRoutes(sessions));
          app.route("/", keyPageRoutes());
        }
        return {
          heartbeat: heartbeatRoute(sessions),
          clocks: [watchForCopies(database, heartbeatSeconds)],
          mountAdmin: (admin, { findEnded }) =>
            admin.route("/", deviceAdminRoutes({ database, hashKey, streams, findEnded, log })),
          async close() {
            endings.close();
            await counters.close();
          },
        };
      },
    };
  },
} as const satisfies Kind<DeviceSettings>;
