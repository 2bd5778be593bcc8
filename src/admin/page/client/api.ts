/**
 * The admin API by the page's cookie. The token against cross-site requests is kept here alone, in memory. Every answer
 * is told to whoever watches over the connection.
 */
import { noteServerTime } from "./parts/format.ts";
import type {
  AuditItem,
  CreatedKey,
  HistoryItem,
  ImportReport,
  KeyItem,
  MoveItem,
  NumbersReply,
  Page,
  PatchRoom,
  PlaceItem,
  RoomReply,
  SessionItem,
} from "./shapes.ts";

/** What the server refused, or status 0: it could not be reached. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly body: unknown,
  ) {
    super(message);
  }
}

type Outcome = "answered" | "signed_out" | "database" | "offline";

let csrfToken = "";
let onOutcome: (outcome: Outcome) => void = () => {};

export function watchOutcomes(listener: (outcome: Outcome) => void): void {
  onOutcome = listener;
}

/** Undefined: nobody is signed in. */
export async function whoAmI(): Promise<{ version: string } | undefined> {
  try {
    const me = await ask<{ csrf_token?: string; version: string }>("GET", "me");
    csrfToken = me.csrf_token ?? "";
    return me;
  } catch (error) {
    if (error instanceof Refused && (error.status === 401 || error.status === 404)) return undefined;
    throw error;
  }
}

export async function signIn(token: string): Promise<void> {
  csrfToken = (await ask<{ csrf_token: string }>("POST", "sign-in", { token })).csrf_token;
}

export const signOut = () => ask("POST", "sign-out", {});
export const readNumbers = () => ask<NumbersReply>("GET", "numbers?hours=24");
export const searchSessions = (filter: object) => ask<Page<SessionItem>>("POST", "sessions/search", filter);
export const kick = (session: { key_id: number; generation: number }, reason: string) =>
  ask<{ success: boolean }>("POST", "sessions/kick", { ...session, ...(reason && { reason }) });
export const searchKeys = (filter: object) => ask<Page<KeyItem>>("POST", "keys/search", filter);
export const readKey = (id: number) => ask<KeyItem>("GET", `keys/${id}`);
export const createKey = (key: object) => ask<CreatedKey>("POST", "keys", key);
export const changeKey = (id: number, patch: object) => ask<KeyItem>("PATCH", `keys/${id}`, patch);
export const revokeKey = (id: number, reason: string) =>
  ask<KeyItem>("POST", `keys/${id}/revoke`, reason ? { reason } : {});
export const restoreKey = (id: number) => ask<KeyItem>("POST", `keys/${id}/restore`, {});
export const eraseKey = (id: number) => ask("DELETE", `keys/${id}`);
export const readHistory = (id: number, cursor: string | null) =>
  ask<Page<HistoryItem>>("GET", `keys/${id}/history?limit=200${cursor ? `&cursor=${cursor}` : ""}`);
export const readAudit = (cursor: string | null) =>
  ask<Page<AuditItem>>("GET", `audit?limit=50${cursor ? `&cursor=${cursor}` : ""}`);
export const readRoom = () => ask<RoomReply>("GET", "waiting-room");
export const changeRoom = (patch: PatchRoom) => ask<RoomReply>("PATCH", "waiting-room", patch);
export const listPlaces = (filter: Record<string, string>) =>
  ask<Page<PlaceItem>>("GET", `waiting-room/places?${new URLSearchParams(filter)}`);
/** Undefined: the user has no place now. */
export async function readPlace(userId: string): Promise<PlaceItem | undefined> {
  try {
    return await ask<PlaceItem>("GET", placePath(userId));
  } catch (error) {
    if (error instanceof Refused && error.code === "user_not_found") return undefined;
    throw error;
  }
}
export const readMoves = (userId: string, cursor: string | null) =>
  ask<Page<MoveItem>>("GET", `${userPath(userId)}/moves?limit=50${cursor ? `&cursor=${cursor}` : ""}`);
export const eraseUser = (userId: string) => ask("DELETE", userPath(userId));
export const prioritise = (userId: string, priority: number) => ask("PATCH", placePath(userId), { priority });
export const admit = (userId: string) => ask("POST", `${placePath(userId)}/admit`, {});
export const removePlace = (userId: string, reason: string) =>
  ask("POST", `${placePath(userId)}/remove`, reason ? { reason } : {});
const userPath = (userId: string) => `waiting-room/users/${encodeURIComponent(userId)}`;
const placePath = (userId: string) => `waiting-room/places/${encodeURIComponent(userId)}`;
export const importKeys = (text: string | Blob, { partial, dryRun }: { partial: boolean; dryRun: boolean }) =>
  ask<ImportReport>("POST", `keys/import?partial=${partial}&dry_run=${dryRun}`, text, "text/csv");

async function ask<T>(method: string, path: string, body?: unknown, type = "application/json"): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrfToken;
  if (body !== undefined) headers["Content-Type"] = type;
  const sent = body === undefined ? null : type === "application/json" ? JSON.stringify(body) : (body as string | Blob);
  let response: Response;
  try {
    response = await fetch(`api/admin/${path}`, { method, headers, body: sent, credentials: "same-origin" });
  } catch {
    onOutcome("offline");
    throw new Refused(0, "offline", "The service cannot be reached", undefined);
  }
  noteServerTime(response.headers.get("date"));
  const reply = (await response.json().catch(() => ({}))) as { error?: string; code?: string };
  if (response.ok) {
    onOutcome("answered");
    return reply as T;
  }
  if (response.status === 401 && path !== "sign-in") onOutcome("signed_out");
  if (response.status === 503) onOutcome("database");
  throw new Refused(response.status, reply.code ?? "", reply.error ?? `HTTP ${response.status}`, reply);
}
