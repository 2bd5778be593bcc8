/** Game sessions under the model's eyes: calls the verbs, moves their time, reads their rows. */
import { AppError } from "../../../../src/errors.ts";
import type { GameCaller } from "../../../../src/sessions/game/caller.ts";
import { act } from "../../../../src/sessions/game/combat/act.ts";
import { createCombat } from "../../../../src/sessions/game/combat/create.ts";
import { joinCombat } from "../../../../src/sessions/game/combat/join.ts";
import { leaveCombat } from "../../../../src/sessions/game/combat/leave.ts";
import { listCombats } from "../../../../src/sessions/game/combat/list.ts";
import { readCombat, readState } from "../../../../src/sessions/game/combat/read.ts";
import type {
  ActionRequest,
  CombatEvent,
  CombatSession,
  CombatState,
  CreateCombatRequest,
} from "../../../../src/sessions/game/combat-contract.ts";
import type { GameSession, UpdateRequest } from "../../../../src/sessions/game/contract.ts";
import { createSession, readSession, terminateSession, updateSession } from "../../../../src/sessions/game/index.ts";
import { cloneDatabase, type TestDatabase } from "../../../support/database.ts";
import { type Call, type CallerName, type PlayerName, ROSTERS, RULES } from "./model-commands.ts";
import type { Answer, ModelSession, Reference } from "./model-reference.ts";
import { showParticipants } from "./model-reference.ts";

export const IDS: Record<PlayerName, string> = {
  ann: "a0000000-0000-4000-8000-000000000001",
  bob: "b0000000-0000-4000-8000-000000000002",
  cyd: "c0000000-0000-4000-8000-000000000003",
  dan: "d0000000-0000-4000-8000-000000000004",
};
const NAMES = new Map(Object.entries(IDS).map(([name, id]) => [id, name as PlayerName]));
const nameOf = (id: unknown) => NAMES.get(id as string) ?? String(id);

export interface Lane extends TestDatabase {
  drop(): Promise<void>;
}

/**
 * What is not flushed to disk at every commit is lost only in a crash, and none happens here. The numbers have a test of
 * their own: they would count each dating of a row.
 */
export async function openLane(): Promise<Lane> {
  const db = await cloneDatabase();
  await db.sql.unsafe(`
    ALTER DATABASE ${db.name} SET synchronous_commit = off;
    ALTER TABLE game_sessions DISABLE TRIGGER game_sessions_count_new;
    ALTER TABLE game_sessions DISABLE TRIGGER game_sessions_count_change;`);
  return db;
}

export async function empty(db: TestDatabase): Promise<void> {
  await db.sql.unsafe("DELETE FROM game_sessions; DELETE FROM game_idempotency_keys;");
}

const callerOf = (as: CallerName): GameCaller =>
  as === "service"
    ? { subject: "a-backend", playerId: undefined, isService: true }
    : { subject: IDS[as], playerId: IDS[as], isService: false };

/** Every answer of the program in the words of the reference, refusals included; throws what is neither. */
export async function ask(db: TestDatabase, call: Call): Promise<Answer> {
  try {
    return await askVerb(db, call);
  } catch (error) {
    if (!(error instanceof AppError) || error.code === "unavailable") throw error;
    return refusal(error);
  }
}

async function askVerb(db: TestDatabase, call: Call): Promise<Answer> {
  const { database } = db;
  switch (call.do) {
    case "create": {
      const made = await createCombat(database, combatOf(call), callerOf(call.as), call.key ?? undefined);
      const participants = made.participants.map(participantOf);
      return {
        is: "made",
        id: made.session_id,
        status: made.status,
        version: made.version,
        created: ago(made.created_at),
        participants,
      };
    }
    case "create plain": {
      const request = { type: call.type, player_id: IDS[call.as] };
      const made = await createSession(database, request, callerOf(call.as), call.key ?? undefined);
      return {
        is: "made",
        id: made.session_id,
        status: made.status,
        version: made.version,
        created: ago(made.created_at),
      };
    }
    case "read plain":
      return { is: "shown", ...showSession(await readSession(database, call.session, callerOf(call.as))) };
    case "read":
      return { is: "shown", ...showMatch(await readCombat(database, call.session, callerOf(call.as))) };
    case "state":
      return { is: "shown", ...showState(await readState(database, call.session, callerOf(call.as))) };
    case "join":
    case "leave": {
      const move = call.do === "join" ? joinCombat : leaveCombat;
      const request = { player_ids: call.players.map((name) => IDS[name]) };
      const match = await move(database, call.session, request, callerOf(call.as));
      return { is: call.do === "join" ? "joined" : "left", ...showMatch(match) };
    }
    case "act": {
      const as = call.as === "self" ? call.player : call.as;
      const result = await act(database, call.session, actionOf(call), callerOf(as));
      return { is: "happened", sequence: result.sequence, damage: result.damage_dealt, ...showState(result.new_state) };
    }
    case "update": {
      const by = callerOf(call.as);
      const session = await updateSession(database, call.session, changeOf(call), by, matchingOf(call));
      return { is: `now ${session.status}`, ...showSession(session) };
    }
    case "terminate": {
      const options = { reason: call.reason ?? undefined, matching: matchingOf(call) };
      const session = await terminateSession(database, call.session, options, callerOf(call.as));
      return { is: `now ${session.status}`, ...showSession(session) };
    }
    case "list": {
      const query = { status: call.status, mode: call.mode ?? undefined, limit: 50 };
      const page = await listCombats(database, query, callerOf(call.as));
      const ids = page.sessions.map(({ session_id }) => session_id);
      return { is: page.total_count !== ids.length ? "a count that lies" : ids.length > 0 ? "shown" : "empty", ids };
    }
    case "cleanup": {
      const [done] = await db.sql`SELECT * FROM settle_games(1000)`;
      return { is: done?.ended > 0 ? "ends some" : "finds none", ended: done?.ended };
    }
  }
}

function combatOf(call: Call & { do: "create" }): CreateCombatRequest {
  return {
    mode: call.mode,
    participants: (ROSTERS[call.players] as readonly PlayerName[]).map((name) => IDS[name]),
    settings: { max_duration: call.minutes * 60, rules: { ...RULES[call.rules] } },
  };
}

/** The request of an action; by its text two are the same. */
export function actionOf(call: Call & { do: "act" }): ActionRequest {
  const { given } = call;
  return {
    action_type: call.type,
    player_id: IDS[call.player],
    target_id: call.target === null ? undefined : IDS[call.target],
    action_id: (call as { actionId?: string }).actionId,
    parameters: { from: null },
    damage: given.damage ?? undefined,
    eliminated: given.eliminated ?? undefined,
    score: given.score ?? undefined,
  };
}

/** What is left out stays as it is. */
function changeOf({ status, metadata, settings, demands, ...call }: Call & { do: "update" }): UpdateRequest {
  const { version } = call as unknown as Versioned;
  return {
    status: status ?? undefined,
    metadata: metadata === null ? undefined : { note: metadata },
    settings: settings === null ? undefined : { note: settings },
    version: demands === "version" ? version : demands === "another version" ? version + 1 : undefined,
  };
}

/** The present one, which the story fills in. */
interface Versioned {
  version: number;
}

/** As If-Match says it. */
function matchingOf({ demands, ...call }: Call & { do: "update" | "terminate" }): number[] | undefined {
  const { version } = call as unknown as Versioned;
  if (demands === "match") return [version + 7, version];
  return demands === "another match" ? [version + 1] : undefined;
}

function refusal({ code, data, message }: AppError): Answer {
  switch (code) {
    case "session_over":
      return { is: code, ending: [data.status, data.ended_reason, ago(data.ended_at as string)] };
    case "cooldown":
      return { is: code, waits: Math.ceil(data.ready_in as number) };
    case "full":
      return { is: code, left: data.places_left };
    case "not_active": {
      const standing = message.replace("The player is ", "");
      return { is: code, standing };
    }
    default:
      return { is: code };
  }
}

const ago = (moment: string) => Math.floor((Date.now() - Date.parse(moment)) / 1000);

const participantOf = ({ player_id, status, health, score }: CombatSession["participants"][number]) =>
  `${nameOf(player_id)} ${status} ${health} ${score}`;

function showMatch(match: CombatSession) {
  const { stats } = match;
  return {
    status: match.status,
    version: match.version,
    participants: match.participants.map(participantOf),
    played: stats.duration_seconds,
    stats: [stats.total_actions, stats.total_damage, stats.eliminations, stats.winner ? nameOf(stats.winner) : null],
    created: ago(match.created_at),
    started: match.started_at === undefined ? null : ago(match.started_at),
    ended: match.ended_at === undefined ? null : ago(match.ended_at),
  };
}

const showState = (state: CombatState) => ({
  phase: state.phase,
  remaining: state.time_remaining,
  participants: state.participants.map(participantOf),
  events: state.events.map(eventText),
});

const showSession = (session: GameSession) => ({
  notes: [session.metadata?.note ?? null, session.settings?.note ?? null],
  status: session.status,
  reason: session.ended_reason ?? null,
  version: session.version,
  type: session.type,
  created: ago(session.created_at),
  updated: ago(session.updated_at),
  ended: session.ended_at === undefined ? null : ago(session.ended_at),
});

function eventText({ sequence, type, data }: Pick<CombatEvent, "sequence" | "type" | "data">): string {
  const said: Record<string, string> = {
    started: ` ${data.participants}`,
    joined: ` ${nameOf(data.player_id)}`,
    left: ` ${nameOf(data.player_id)}`,
    ended: ` ${data.status} ${data.ended_reason}${data.winner ? ` ${nameOf(data.winner)}` : ""}`,
  };
  if (type !== "action") return `${sequence} ${type}${said[type] ?? ""}`;
  const aim = data.target_id === undefined ? "" : ` ${nameOf(data.target_id)}`;
  const left = data.health === undefined ? "" : ` ${data.health}`;
  const effect = `${data.damage_dealt} +${data.score}${left}${data.eliminated ? " falls" : ""}${data.decides ? " decides" : ""}`;
  const kept = JSON.stringify(data.parameters) === '{"from":null}' ? "" : " other parameters";
  return `${sequence} action ${nameOf(data.player_id)} ${data.action_type}${aim} ${effect} ${data.time_remaining}${kept}`;
}

/** Dates the rows so that everything is as long ago as the reference says. */
export async function pin(db: TestDatabase, { sessions, keys, nowSeconds }: Reference, passed: number): Promise<void> {
  const since = (seconds: number | null) => (seconds === null ? null : nowSeconds - seconds);
  const dated = sessions.map((one) => ({
    id: one.id,
    created: since(one.createdAt),
    updated: since(one.updatedAt),
    ended: since(one.endedAt),
    paused: since(one.pausedAt),
    paused_ms: one.pausedSeconds * 1000,
    called: since(one.calledAt),
    started: since(one.match?.startedAt ?? null),
    participants: (one.match?.participants ?? []).map(({ player, joinedAt, readyAt }) => ({
      player: IDS[player],
      joined: since(joinedAt),
      ready: Object.entries(readyAt).map(([type, at]) => [type, since(at)]),
    })),
    events: (one.match?.events ?? []).map(({ at }) => since(at)),
  }));
  const made = [...keys].map(([name, { at }]) => [name, since(at)]);
  await db.sql`
    WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at), keys AS (
      UPDATE game_idempotency_keys k SET created_at = at - make_interval(secs => (pair->>1)::int)
      FROM moment, json_array_elements(${JSON.stringify(made)}::text::json) pair
      WHERE (CASE k.caller ${namesInSql(db)} END) || ' ' || k.key = pair->>0
    ), one AS MATERIALIZED (
      SELECT s.number, r.* FROM json_to_recordset(${JSON.stringify(dated)}::text::json) AS r (
        id uuid, created int, updated int, ended int, paused int, paused_ms bigint, called int, started int,
        participants json, events json) JOIN game_sessions s ON s.session_id = r.id
    ), combats AS (
      UPDATE game_combats c SET started_at = at - make_interval(secs => one.started) FROM moment, one WHERE c.session = one.number
    ), participants AS (
      UPDATE game_participants p
      SET joined_at = at - make_interval(secs => (r->>'joined')::int), ready_at = (
        SELECT jsonb_object_agg(t->>0, at - make_interval(secs => (t->>1)::int)) FROM json_array_elements(r->'ready') t WHERE p.ready_at ? (t->>0))
      FROM moment, one, json_array_elements(one.participants) r WHERE p.session = one.number AND p.player_id = (r->>'player')::uuid
    ), events AS (
      UPDATE game_events e SET at = moment.at - make_interval(secs => (r.ago #>> '{}')::int)
      FROM moment, one, json_array_elements(one.events) WITH ORDINALITY AS r (ago, sequence)
      WHERE e.session = one.number AND e.sequence = r.sequence
    )
    UPDATE game_sessions s
    SET created_at = at - make_interval(secs => one.created), updated_at = at - make_interval(secs => one.updated),
        ended_at = at - make_interval(secs => one.ended), paused_at = at - make_interval(secs => one.paused),
        paused_ms = one.paused_ms, last_call = at - make_interval(secs => one.called),
        not_over_before = s.not_over_before - make_interval(secs => ${passed})
    FROM moment, one WHERE s.number = one.number`;
}

const namesInSql = ({ sql }: TestDatabase) =>
  sql.unsafe(
    `WHEN 'a-backend' THEN 'service' ${Object.entries(IDS)
      .map(([name, id]) => `WHEN '${id}' THEN '${name}'`)
      .join(" ")}`,
  );

/** How a session stands in its rows: what is there to see, how long ago everything was, and what has been told. */
type Standing = Record<string, unknown>;

/** What time has brought is noted first, as any reader would. */
export async function readScene(db: TestDatabase): Promise<Standing[]> {
  await db.sql`SELECT enter_game(s.session_id) FROM game_sessions s`;
  const rows = await db.sql`
    WITH ago AS (SELECT clock_timestamp() AS at)
    SELECT s.session_id AS id, s.type, s.metadata->'note' AS metadata, s.settings->'note' AS settings, s.status, s.ended_reason AS reason, s.version,
      floor(extract(epoch FROM ago.at - s.created_at))::int AS created, floor(extract(epoch FROM ago.at - s.updated_at))::int AS updated,
      floor(extract(epoch FROM ago.at - s.ended_at))::int AS ended, floor(extract(epoch FROM ago.at - s.paused_at))::int AS paused,
      (s.paused_ms / 1000)::int AS stood,
      floor(extract(epoch FROM ago.at - s.last_call))::int AS called,
      (SELECT json_agg(json_build_array(l.id, l.event, coalesce(l.data->'player_ids', l.data->'replaced'), l.data->'reason') ORDER BY l.id)
       FROM game_log_entries l WHERE l.session = s.number) AS log,
      c.refused_actions AS refused,
      (SELECT json_agg(json_build_array(p.player_id, p.status, p.health, p.score) ORDER BY p.place)
       FROM game_participants p WHERE p.session = s.number) AS participants,
      (SELECT json_agg(json_build_object('sequence', e.sequence, 'type', e.event, 'data', combat_event_data(e, true),
                       'ago', floor(extract(epoch FROM ago.at - e.at))::int) ORDER BY e.sequence)
       FROM game_events e WHERE e.session = s.number) AS events,
      fold_combat(s.session_id) IS NOT DISTINCT FROM (
        SELECT jsonb_build_object(
          'phase', CASE WHEN s.ended_at IS NOT NULL THEN 'finished' WHEN c.started_at IS NOT NULL THEN 'active' ELSE 'preparation' END,
          'paused', s.paused_at IS NOT NULL, 'last_sequence', c.last_sequence, 'total_actions', c.total_actions,
          'total_damage', c.total_damage, 'eliminations', c.eliminations, 'winner', c.winner, 'participants', (
            SELECT jsonb_agg(jsonb_build_object('player_id', p.player_id, 'place', p.place, 'joined_at', p.joined_at,
                     'status', p.status, 'score', p.score, 'health', p.health, 'defending', p.defending) ORDER BY p.place)
            FROM game_participants p WHERE p.session = s.number))
        WHERE c.session IS NOT NULL) AS folds
    FROM ago, game_sessions s LEFT JOIN game_combats c ON c.session = s.number ORDER BY s.number`;
  return rows.map(({ events, log, participants, ...row }) => ({
    ...row,
    log: (log as Array<[number, string, string[] | null, string | null]>).map(([id, event, whom, reason], at) => {
      const number = id === at + 1 ? "" : `number ${id}: `;
      return `${number}${event}${whom ? ` ${whom.map(nameOf).join(" ")}` : ""}${reason ? `: ${reason}` : ""}`;
    }),
    participants: (participants ?? []).map(
      ([who, ...rest]: [string, ...unknown[]]) => `${nameOf(who)} ${rest.join(" ")}`,
    ),
    events: (events ?? []).map((event: CombatEvent & { ago: number }) => `${eventText(event)} (${event.ago})`),
  }));
}

/** The same of the reference. */
export function describeScene({ sessions, nowSeconds }: Reference): Standing[] {
  const ago = (seconds: number | null) => (seconds === null ? null : nowSeconds - seconds);
  return sessions.map((one: ModelSession) => ({
    id: one.id,
    type: one.type,
    metadata: one.notes[0],
    settings: one.notes[1],
    status: one.status,
    reason: one.reason,
    version: one.version,
    created: ago(one.createdAt),
    updated: ago(one.updatedAt),
    ended: ago(one.endedAt),
    paused: ago(one.pausedAt),
    stood: one.pausedSeconds,
    called: ago(one.calledAt),
    refused: one.match?.refused ?? null,
    folds: true,
    log: one.log,
    participants: one.match ? showParticipants(one.match) : [],
    events: (one.match?.events ?? []).map(({ text, at }) => `${text} (${nowSeconds - at})`),
  }));
}
