/** The verbs of device sessions on a test's database, in one process or several, with refusals as values. */
import { type Database, openDatabase } from "../../../../src/database/database.ts";
import { AppError, type ErrorCode } from "../../../../src/errors.ts";
import type { Holder, StartReply, StartRequest } from "../../../../src/sessions/device/contract.ts";
import type { DeviceSessions } from "../../../../src/sessions/device/deps.ts";
import { createHeartbeats, startSession } from "../../../../src/sessions/device/index.ts";
import type { TestDatabase } from "../../../support/database.ts";

export function deviceSessions(db: TestDatabase, database: Database = db.database): DeviceSessions {
  return { database, hashKey: db.hashKey, heartbeatSeconds: 30, heartbeats: createHeartbeats(database) };
}

/**
 * As many processes of the program as `count`, as far as the database can tell: each has connections of its own, and
 * none knows of the others. Within one of them starts of one key come one after the other; so races want several.
 */
export function openProcesses(
  db: TestDatabase,
  count: number,
  alter: (database: Database) => Database = (database) => database,
): { services: DeviceSessions[]; close(): Promise<unknown> } {
  const databases = Array.from({ length: count }, () => openDatabase(db.url));
  return {
    services: databases.map((database) => deviceSessions(db, alter(database))),
    close: () => Promise.all(databases.map((database) => database.close())),
  };
}

export type StartAnswer =
  | { is: "started" | "resumed"; reply: StartReply }
  | {
      is: ErrorCode;
      reply?: undefined;
      holder: Holder | undefined;
      leasedUntil: string | undefined;
      challenge?: string;
    };

/** Throws `unavailable`, and whatever is no refusal. */
export async function tryStart(
  service: DeviceSessions,
  request: Partial<StartRequest> & { access_key: string },
): Promise<StartAnswer> {
  try {
    const reply = await startSession(service, { on_conflict: "replace", ...request });
    return { is: reply.resumed ? "resumed" : "started", reply };
  } catch (error) {
    if (!(error instanceof AppError) || error.code === "unavailable") throw error;
    const { holder, leased_until, challenge } = error.data as Record<string, string | undefined> & { holder?: Holder };
    return { is: error.code, holder, leasedUntil: leased_until, ...(challenge !== undefined && { challenge }) };
  }
}
