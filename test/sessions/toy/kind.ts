/** A kind of session with one of everything that a kind can have; the service knows it by nothing but this value. */
import type { Database } from "../../../src/database/database.ts";
import { createUserAuth } from "../../../src/http/user-auth.ts";
import { counter, gauge } from "../../../src/metrics/samples.ts";
import type { Kind } from "../../../src/sessions/kind.ts";
import { toyAdminPart, toyPart } from "./description.ts";
import { type ToySettings, toySettings } from "./settings.ts";

export const TOY_TABLE = "CREATE TABLE toys (id serial PRIMARY KEY, broken boolean NOT NULL DEFAULT false)";

/** What it was told and asked for, beside its answers. */
export const seen = { settled: 0, wound: 0, heard: [] as string[], closed: 0 };

const countToys = (database: Database): Promise<number> =>
  database.requests.query((sql) => sql`SELECT count(*)::int AS n FROM toys`).then(([row]) => row?.n);

const deleteBroken = (database: Database): Promise<number> =>
  database.background.query((sql) => sql`DELETE FROM toys WHERE broken RETURNING id`).then((rows) => rows.length);

export const toy = {
  name: "toy",
  settings: toySettings,
  tables: ["toys"],
  part: toyPart,
  adminPart: toyAdminPart,
  errors: {},

  open({ settings, database }) {
    let asked = 0;
    return {
      async settle() {
        seen.settled++;
      },
      cleanUp: async () => ({ toys: await deleteBroken(database) }),
      samples: () => [counter("keybeat_toys_asked_total", "Questions for toys", [[{}, asked]])],
      readSamples: async () => [gauge("keybeat_toys", "Toys", "max", [[{}, await countToys(database)]])],

      mount(app, { verifyToken, listener }) {
        const auth = createUserAuth(settings.userTokens ? verifyToken : undefined, "keybeat toys");
        listener.on("keybeat_toy", { hear: (payload) => seen.heard.push(payload), onDoubt: () => {} });
        app.get("/api/v1/toys/:owner", async (c) => {
          const owner = c.req.param("owner");
          await auth.expectUser(c, owner);
          asked++;
          return c.json({ owner, toys: await countToys(database), boxes: settings.boxes });
        });
        return {
          mountAdmin: (admin) =>
            admin.post("/toys", async (c) => {
              await database.operators.query((sql) => sql`INSERT INTO toys DEFAULT VALUES`);
              return c.json({ added: 1 });
            }),
          waits: (path) => path.startsWith("/api/v1/toys"),
          clocks: [{ name: "toys", everyMs: 20, run: async () => seen.wound++ }],
          close() {
            seen.closed++;
          },
        };
      },
    };
  },
} as const satisfies Kind<ToySettings>;
