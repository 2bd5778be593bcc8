import type {
  ActionRequest,
  ActionResult,
  CombatListQuery,
  CombatSession,
  CombatState,
  CombatsReply,
  CreateCombatRequest,
} from "../../sessions/game/combat-contract.ts";
import type {
  CreateRequest,
  GameSession,
  ListQuery,
  SessionDetails,
  SessionsReply,
  UpdateRequest,
} from "../../sessions/game/contract.ts";
import { type Call, type CallLink, expectReply, insist, openCallLink, type Token } from "../calls.ts";
import { expectThat } from "../check-url.ts";
import { type LinkOptions, newUuid } from "../platform.ts";
import { type FollowOptions, followMatch } from "./follow.ts";
import { isOwnChange, mayBeOwn } from "./own-change.ts";

export interface GameOptions extends LinkOptions {
  /** The player's, or a service's; a function is asked for each request, so that it can bring a new one. */
  token: Token;
  /** How long a call is repeated while the service cannot be reached, in ms. Default 60 000. */
  giveUpMs?: number;
}

export interface CallOptions {
  /** Gives up; the call then rejects with its reason. Whether it was carried out is not known then. */
  signal?: AbortSignal;
}

/** Of a page of a list: `next_cursor` of the one before. */
type Paged<Query> = Partial<Omit<Query, "cursor">> & { cursor?: string };

const EXPECTED = {
  refusals:
    /^(400 (invalid_request|unknown_target)|401 unauthorized|403 (forbidden|not_participant)|404 session_not_found|409 (session_over|paused|version_conflict|cooldown|not_active|action_conflict|full|not_open|idempotency_conflict)|412 precondition_failed|413 payload_too_large)$/,
  isReply: (reply: Record<string, unknown>) => typeof reply.session_id === "string",
  readRefusal({ message, details, request_id }: Record<string, unknown>) {
    return { ...(details as object), error: message, request_id };
  },
  /** A page of a hundred sessions, each with as much of its own as it may have. */
  bytesMax: 8 * 1024 * 1024,
};
const GIVE_UP_MS = 60_000;

export function openGames(options: GameOptions): Games {
  expectThat(options.token, "token must be a player's or a service's token, or a function that brings one");
  return new Games(openCallLink(options, "/api/v1/game", EXPECTED), options.giveUpMs ?? GIVE_UP_MS);
}

/** The games of one service, as one player or service. Each call is repeated until it is answered, or time is up. */
export class Games {
  readonly #link: CallLink;
  readonly #giveUpMs: number;

  constructor(link: CallLink, giveUpMs: number) {
    this.#link = link;
    this.#giveUpMs = giveUpMs;
  }

  createSession(request: CreateRequest, options?: CallOptions): Promise<GameSession> {
    return this.#ask({ ...post("/sessions", request), headers: oneTime() }, options);
  }

  listSessions(query: Paged<ListQuery> = {}, options?: CallOptions): Promise<SessionsReply> {
    return this.#ask({ method: "GET", path: `/sessions${queryOf(query)}`, expects: isPage }, options);
  }

  readSession(
    id: string,
    shown: { logs?: boolean; stats?: boolean } = {},
    options?: CallOptions,
  ): Promise<SessionDetails> {
    const query = queryOf({ include_logs: shown.logs, include_stats: shown.stats });
    return this.#ask({ method: "GET", path: `/sessions/${at(id)}${query}` }, options);
  }

  /**
   * Pauses, resumes or ends it, or replaces its metadata or settings. With a `version` that is no more the present one it rejects
   * with `version_conflict`. Where an answer was lost and the session stands just as this change leaves it (one version on), the
   * change is taken for carried out. Of two callers who send the very same change at once, both may so be told that it is theirs:
   * whoever must know puts something of its own into the metadata.
   */
  async updateSession(id: string, change: UpdateRequest, options?: CallOptions): Promise<GameSession> {
    let isRepeated = false;
    const onRepeat = () => {
      isRepeated = true;
    };
    try {
      return await this.#ask({ method: "PUT", path: `/sessions/${at(id)}`, body: change, onRepeat }, options);
    } catch (refusal) {
      if (!isRepeated || !mayBeOwn(refusal)) throw refusal;
      const session = await this.readSession(id, {}, options);
      if (!isOwnChange(change, session)) throw refusal;
      return session;
    }
  }

  /** Ends it as `terminated`; one that has ended comes back as it is. */
  endSession(id: string, reason?: string, options?: CallOptions): Promise<GameSession> {
    return this.#ask({ method: "DELETE", path: `/sessions/${at(id)}`, body: { reason } }, options);
  }

  createMatch(request: CreateCombatRequest, options?: CallOptions): Promise<CombatSession> {
    return this.#ask({ ...post("/combat/sessions", request), headers: oneTime() }, options);
  }

  listMatches(query: Paged<CombatListQuery> = {}, options?: CallOptions): Promise<CombatsReply> {
    return this.#ask({ method: "GET", path: `/combat/sessions${queryOf(query)}`, expects: isPage }, options);
  }

  readMatch(id: string, options?: CallOptions): Promise<CombatSession> {
    return this.#ask({ method: "GET", path: `/combat/sessions/${at(id)}` }, options);
  }

  readState(id: string, options?: CallOptions): Promise<CombatState> {
    return this.#ask({ method: "GET", path: `/combat/sessions/${at(id)}/state` }, options);
  }

  /**
   * Carries out an action, once however often it is sent. With an `action_id` of one's own it may be sent again later, after a
   * crash of the app say.
   */
  act(id: string, action: ActionRequest, options?: CallOptions): Promise<ActionResult> {
    const { action_id = newUuid() } = action;
    const expects = (reply: Partial<ActionResult>) => typeof reply.sequence === "number";
    return this.#ask({ ...post(`/combat/sessions/${at(id)}/actions`, { ...action, action_id }), expects }, options);
  }

  /** Whoever has joined stays so. Without ids: oneself. */
  join(id: string, playerIds?: string[], options?: CallOptions): Promise<CombatSession> {
    return this.#ask(post(`/combat/sessions/${at(id)}/join`, { player_ids: playerIds }), options);
  }

  /** Whoever has left stays so, also when that has ended the match. Without ids: oneself. */
  leave(id: string, playerIds?: string[], options?: CallOptions): Promise<CombatSession> {
    return this.#ask(post(`/combat/sessions/${at(id)}/leave`, { player_ids: playerIds }), options);
  }

  /**
   * Follows a match to its end, and resolves to its last state. A cut stream goes on where it was, however long the service is
   * away. In a browser the first three tabs hold a stream, and the others ask every 5 s.
   */
  follow(id: string, options: FollowOptions = {}): Promise<CombatState> {
    return followMatch(this.#link, at(id), options);
  }

  async #ask<T>(asked: Call, { signal = new AbortController().signal }: CallOptions = {}): Promise<T> {
    signal.throwIfAborted();
    const answer = await insist<T>(this.#link, asked, { signal, withinMs: this.#giveUpMs });
    if (answer.kind === "failed") signal.throwIfAborted();
    return expectReply(this.#link, answer);
  }
}

const at = (id: string): string => {
  expectThat(typeof id === "string" && id !== "", "the id of a game session must be a text");
  return encodeURIComponent(id);
};
const post = (path: string, body: object) => ({ method: "POST", path, body }) as const;
const oneTime = () => ({ "Idempotency-Key": newUuid() });
const isPage = (reply: { sessions?: unknown }) => Array.isArray(reply.sessions);

function queryOf(query: Record<string, unknown>): string {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) asked.set(name, String(value));
  return String(asked) && `?${asked}`;
}
