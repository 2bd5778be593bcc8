/** Calls of the game routes, as a player or a service makes them. */
import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import { postInit, type Reply, readReply, type TestApp } from "../../../support/app.ts";
import type { TestDatabase } from "../../../support/database.ts";
import { codeOf } from "../../../support/error-words.ts";
import { playerToken, serviceToken } from "../../../support/player-token.ts";

/** `as`: a player's id, `service`, a whole token, or nobody. */
export function gameApi(app: Pick<TestApp, "fetch">, at = () => "http://localhost") {
  const tokenOf = (as: string) => (as === "service" ? serviceToken() : as.includes(".") ? as : playerToken(as));
  const send = async (
    method: string,
    path: string,
    as?: string,
    body?: unknown,
    more: Record<string, string> = {},
  ): Promise<Reply> => {
    const headers = as === undefined ? more : { ...more, Authorization: `Bearer ${tokenOf(as)}` };
    const init = body === undefined ? { headers } : postInit(body, headers);
    return readReply(await app.fetch(new Request(`${at()}/api/v1/game${path}`, { ...init, method })));
  };
  const create = (player: string, body: object = {}, headers = {}) =>
    send("POST", "/sessions", player, { type: "player", player_id: player, ...body }, headers);
  return {
    send,
    create,
    /** Makes a session and returns its id. */
    async make(player: string, body: object = {}): Promise<string> {
      const { status, body: made } = await create(player, body);
      expect(status).toBe(201);
      return made.session_id;
    },
    read: (id: string, as: string) => send("GET", `/sessions/${id}`, as),
    details: (id: string, as: string, query: string) => send("GET", `/sessions/${id}?${query}`, as),
    logs: (id: string, as: string, query = "") => send("GET", `/sessions/${id}/logs?${query}`, as),
    list: (as: string, query = "") => send("GET", `/sessions?${query}`, as),
    update: (id: string, as: string, body: object) => send("PUT", `/sessions/${id}`, as, body),
    terminate: (id: string, as: string, body?: object) => send("DELETE", `/sessions/${id}`, as, body),
  };
}

export type GameApi = ReturnType<typeof gameApi>;

/** Lets so many seconds pass for a session, in which nobody calls for it, by dating it back. */
export const age = ({ sql }: TestDatabase, id: string, seconds: number) => sql`
  UPDATE game_sessions s
  SET created_at = s.created_at - by, updated_at = s.updated_at - by, ended_at = s.ended_at - by,
      paused_at = s.paused_at - by, last_call = s.last_call - by, not_over_before = s.not_over_before - by
  FROM make_interval(secs => ${seconds}) by WHERE s.session_id = ${id}`;

/** A match of a minute that the player makes, with others or open to all. Returns its id. */
export async function makeMatch(api: GameApi, player: string, others: string[] = [], open = false): Promise<string> {
  const match = { mode: "pvp", participants: [player, ...others], settings: { max_duration: 60, rules: { open } } };
  const { status, body } = await api.send("POST", "/combat/sessions", player, match);
  expect(status).toBe(201);
  return body.session_id;
}

export const newPlayer = (): string => randomUUID();

/** `200`, or `409 session_over`. */
export const outcome = ({ status, body }: Reply): string =>
  status < 400 ? String(status) : `${status} ${codeOf(body)}`;

/** How many of them came out how. */
export function tally(replies: Reply[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const one of replies.map(outcome)) counts[one] = (counts[one] ?? 0) + 1;
  return counts;
}
