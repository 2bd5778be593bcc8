/** Calls of the game routes, as a player or a service makes them. */
import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import { postInit, type Reply, readReply, type TestApp } from "../../../support/app.ts";
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
  };
}

export const newPlayer = (): string => randomUUID();

/** `200`, or `409 session_over`. */
export const outcome = ({ status, body }: Reply): string =>
  status < 400 ? String(status) : `${status} ${codeOf(body)}`;
