import { roomAdminPart, roomErrors } from "../../admin/waiting-room/description.ts";
import { roomAdminRoutes } from "../../admin/waiting-room/routes.ts";
import { untilFree } from "../../database/locked.ts";
import { createUserAuth } from "../../http/user-auth.ts";
import type { Kind } from "../kind.ts";
import { cleanUpRoom, expirePlaces } from "./cleanup.ts";
import { waitingRoomDemoRoutes } from "./demo/routes.ts";
import { waitingRoomErrors, waitingRoomPart } from "./description.ts";
import { openLine } from "./line.ts";
import { createRoomNumbers } from "./numbers.ts";
import { openPermitOffers } from "./permit-offers.ts";
import { holdsCaller, waitingRoomRoutes } from "./routes.ts";
import { describeRoom } from "./samples.ts";
import { type WaitingRoomSettings, waitingRoomSettings } from "./settings.ts";
import { configureRoom } from "./sql.ts";

/** How soon a seat or a place that has fallen due is seen where nobody calls. */
const EXPIRE_MS = 500;

/** Seats, a fair line, and permits (see index.ts). */
export const waitingRoom = {
  name: "waiting room",
  settings: waitingRoomSettings,
  tables: ["waiting_room", "waiting_room_places", "waiting_room_permits", "waiting_room_moves"],
  part: waitingRoomPart,
  adminPart: roomAdminPart,
  errors: { ...waitingRoomErrors, ...roomErrors },

  open({ settings, database, log }) {
    const { room } = settings;
    const readNumbers = createRoomNumbers(database);
    return {
      settle: () => untilFree(log, "the waiting room's settings", () => configureRoom(database, room)),
      async cleanUp(order): Promise<Record<string, number>> {
        const places = await cleanUpRoom(database, order);
        if (places === 0) return {};
        log.info({ places }, "places of the waiting room cleaned up");
        return { places };
      },
      readSamples: async () => describeRoom(await readNumbers()),

      mount(app, serving) {
        const { listener, streams, readAddress } = serving;
        const line = openLine({ database, listener, log });
        const routes = waitingRoomRoutes({
          database,
          line,
          offers: openPermitOffers(listener),
          streams,
          userAuth: createUserAuth(settings.userTokens ? serving.verifyToken : undefined, "keybeat waiting room"),
          readAddress,
          places: serving.createLimit({
            name: "place",
            perMinute: settings.placesPerMinute,
            message: "Too many places are asked for from this address, please try again in a minute",
          }),
        });
        app.route("/api/v1/session", routes);
        app.route("/", waitingRoomDemoRoutes());
        return {
          mountAdmin: (admin) => admin.route("/waiting-room", roomAdminRoutes({ database })),
          waits: holdsCaller,
          clocks: [
            { name: "expired places", everyMs: EXPIRE_MS, run: () => expirePlaces(database, 0) },
            { name: "watched places", everyMs: (room.waiterSeconds * 1000) / 4, run: line.keepWatched },
          ],
          close: line.close,
        };
      },
    };
  },
} as const satisfies Kind<WaitingRoomSettings>;
