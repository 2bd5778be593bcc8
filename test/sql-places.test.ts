/** SQL stands in files of SQL, and what reads or changes the tables of a room in the folder of that room. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SHARED_TABLES } from "../src/database/schema.ts";
import { KINDS } from "../src/sessions/kinds.ts";

const OWNED: Record<string, string[]> = {
  "src/sessions/device/": [
    ...["active_sessions", "session_history", "live_peaks", "refusal_counts"],
    ...["leases", "suspected_copies", "trust_state"],
  ],
  "src/sessions/waiting-room/": ["waiting_room", "waiting_room_places", "waiting_room_moves", "waiting_room_permits"],
  "src/sessions/batch/": ["batch_settings", "batch_sessions", "batch_nodes", "batch_events", "batch_idempotency_keys"],
  "src/sessions/game/": [
    ...["game_settings", "game_sessions", "game_log_entries", "game_combats", "game_participants", "game_events"],
    "game_idempotency_keys",
  ],
  "src/analytics/": ["game_rollups", "game_performance"],
  "src/audit/": ["audit_log"],
  "src/admin/sign-in/": ["ended_sign_ins"],
  "src/limits/": ["limit_counts"],
};
/** Joined by statements that name a key to people or ask since when the service serves; or the business of migrations. */
const SHARED = ["keys", "key_words", "service_state", "service_state_stand_ins", "applied_functions"];

/** A file of SQL, or one beneath it. */
const MAY_SAY_SQL = /[/-]sql\.ts$|^src\/database\//;
const SAYS_SQL = /\b(sql|query)`|\.query\(/;

interface File {
  path: string;
  text: string;
}

/** Lists them by name. */
const LIST = "src/database/schema.ts";

const FILES: File[] = readdirSync("src", { recursive: true })
  .map((name) => join("src", String(name)))
  .filter((path) => path.endsWith(".ts") && path !== LIST)
  .map((path) => ({ path, text: readFileSync(path, "utf8") }));

/** Where a statement names the table, or its partitions, or a function of ours is told its name. */
const naming = (table: string) =>
  new RegExp(
    `\\b(FROM|JOIN|INTO|UPDATE|TABLE)\\s+(ONLY\\s+)?${table}(_default)?\\b|["'\`]${table}(_default)?["'\`]`,
    "i",
  );

function findStrays(files: File[]): string[] {
  return Object.entries(OWNED).flatMap(([folder, tables]) =>
    tables.flatMap((table) =>
      files
        .filter(({ path, text }) => !path.startsWith(folder) && naming(table).test(text))
        .map(({ path }) => `${path} names ${table}`),
    ),
  );
}

const findSpeakers = (files: File[]) =>
  files.filter(({ path, text }) => !MAY_SAY_SQL.test(path) && SAYS_SQL.test(text)).map(({ path }) => path);

describe("SQL", () => {
  it("about a room's tables stands in that room's folder", () => {
    expect(findStrays(FILES)).toEqual([]);
  });

  it("stands in files of SQL", () => {
    expect(findSpeakers(FILES)).toEqual([]);
  });

  it("knows of every table whose it is", () => {
    expect([...Object.values(OWNED).flat(), ...SHARED].sort()).toEqual(
      [...SHARED_TABLES, ...KINDS.flatMap(({ tables }) => tables)].sort(),
    );
  });

  it.each([
    ["SELECT count(*) FROM active_sessions WHERE true", "active_sessions"],
    ["LEFT JOIN session_history h ON true", "session_history"],
    ["SELECT EXISTS (SELECT FROM session_history_default)", "session_history"],
    ["to_regclass('active_sessions')", "active_sessions"],
    ["DELETE\n FROM ONLY waiting_room_places", "waiting_room_places"],
    ["UPDATE waiting_room SET paused = true", "waiting_room"],
    ["INSERT INTO audit_log (who) VALUES ('x')", "audit_log"],
  ])("%s is found elsewhere", (statement, table) => {
    const planted = { path: "src/keys/planted-sql.ts", text: `sql\`${statement}\`` };
    expect(findStrays([planted])).toEqual([`src/keys/planted-sql.ts names ${table}`]);
  });

  it.each(["database.operators.query((sql) => statement(sql))", "await sql`SELECT 1`"])(
    "%s is found in a verb and in a route",
    (text) => {
      const paths = ["src/keys/planted.ts", "src/admin/keys/planted-routes.ts", "src/keys/planted-nosql.ts"];
      expect(findSpeakers(paths.map((path) => ({ path, text })))).toEqual(paths);
    },
  );
});
