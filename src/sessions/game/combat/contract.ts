/** The wire contract of matches (see ../contract.ts). */
import { z } from "zod";
import { givenMoment, moment, numberCursor, pageLimit, refuseLarge } from "../../contract.ts";
import { listCounts, OBJECT_BYTES_MAX, playerId } from "../contract.ts";
import {
  ACTION_TYPES,
  COMBAT_EVENTS,
  COMBAT_MODE_FILTERS,
  COMBAT_MODES,
  COMBAT_PHASES,
  COMBAT_STATUSES,
  DIFFICULTIES,
  PARTICIPANT_STATUSES,
} from "../states.ts";

export const PARTICIPANTS_MAX = 100;
export const MAX_DURATION_SECONDS = 3_600;
/** How many events a state shows; `/events` brings all. */
export const SHOWN_EVENTS_MAX = 50;
const POINTS_MAX = 1_000_000;
const COOLDOWN_MS_MAX = 3_600_000;
const EFFECTS_MAX = 20;
const PARAMETERS_BYTES_MAX = 16 * 1024;

export const combatMode = z.enum(COMBAT_MODES);
export const actionType = z.enum(ACTION_TYPES);

const count = z.int().min(0).max(2_147_483_647);
const points = z.int().min(0).max(POINTS_MAX);
const sequence = z.int().min(1);
const byAction = <Value extends z.ZodType>(value: Value) => z.partialRecord(actionType, value.nullable()).nullish();
const ofClient = z.record(z.string(), z.unknown());

/**
 * How a match is scored. Settings are the client's data and come back as they were sent, so here null and what is ours to
 * fill in stay as they are; whoever reckons with them takes both for absent.
 */
export const combatRules = z.looseObject({
  /** At the beginning. Default 100. */
  health: z.int().min(1).max(POINTS_MAX).nullish(),
  /** Default: attack 10, ability 20, the others none. */
  damage: byAction(z.number().min(0).max(POINTS_MAX)),
  /** Of the damage to who defends, until that player's next action. Default 0.5. */
  defend_factor: z.number().min(0).max(1).nullish(),
  /** For an action. Default: the damage dealt. */
  score: byAction(points),
  /** Until the same player's next action of that type. Default none. */
  cooldown_ms: byAction(z.int().min(0).max(COOLDOWN_MS_MAX)),
  /** Whether players may join and leave by themselves. Default false. */
  open: z.boolean().nullish(),
  max_participants: z.int().min(1).max(PARTICIPANTS_MAX).nullish(),
  /** Before it begins. Default none. */
  preparation_seconds: z
    .int()
    .min(0)
    .max(MAX_DURATION_SECONDS - 1)
    .nullish(),
});

export const combatSettings = z
  .looseObject({
    /** Default 3600. */
    max_duration: z.int().min(60).max(MAX_DURATION_SECONDS).nullish(),
    difficulty: z.enum(DIFFICULTIES).nullish(),
    rules: combatRules.nullish(),
  })
  .superRefine(refuseLarge(OBJECT_BYTES_MAX));

export const createCombatRequest = z
  .object({
    mode: combatMode,
    participants: z.array(playerId).min(1).max(PARTICIPANTS_MAX),
    settings: combatSettings.optional(),
  })
  .superRefine(({ participants, settings }, context) => {
    const refuse = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
    if (new Set(participants).size < participants.length) refuse(["participants"], "must not have a player twice");
    const { max_participants, preparation_seconds } = settings?.rules ?? {};
    if (participants.length > (max_participants ?? PARTICIPANTS_MAX)) {
      refuse(["participants"], "must be no more than max_participants");
    }
    if ((preparation_seconds ?? 0) >= (settings?.max_duration ?? MAX_DURATION_SECONDS)) {
      refuse(["settings", "rules", "preparation_seconds"], "must be less than max_duration");
    }
  });

export const combatListQuery = z.object({
  status: z.enum(COMBAT_STATUSES).default("active"),
  mode: z.enum(COMBAT_MODE_FILTERS).optional(),
  limit: pageLimit(10, 50),
  cursor: numberCursor.optional(),
});

/** Who joins or leaves; by default who asks. */
export const playersRequest = z.object({
  player_ids: z
    .array(playerId)
    .min(1)
    .max(PARTICIPANTS_MAX)
    .refine((ids) => new Set(ids).size === ids.length, "must not have a player twice")
    .optional(),
});

export const effect = z.object({
  type: z.string().max(100).optional(),
  value: z.number().optional(),
  /** Seconds. */
  duration: count.optional(),
});

export const actionRequest = z.object({
  action_type: actionType,
  player_id: playerId,
  target_id: playerId.optional(),
  parameters: ofClient.superRefine(refuseLarge(PARAMETERS_BYTES_MAX)).optional(),
  /** Kept as data: the order is the service's. */
  timestamp: givenMoment.optional(),
  /** By which the action happens once, however often it is sent. */
  action_id: z
    .guid()
    .overwrite((id) => id.toLowerCase())
    .optional(),
  /** These are a service's, and believed; a player's count for nothing. */
  damage: points.optional(),
  effects: z.array(effect).max(EFFECTS_MAX).optional(),
  /** Whether the target is. */
  eliminated: z.boolean().optional(),
  score: points.optional(),
});

export const participant = z.object({
  player_id: z.guid(),
  joined_at: moment,
  status: z.enum(PARTICIPANT_STATUSES),
  score: count,
  health: count,
});

export const combatStats = z.object({
  /** Without the time that it was paused. */
  duration_seconds: count,
  total_actions: count,
  total_damage: z.int().min(0),
  eliminations: count,
  /** Absent until one is left, and where nobody is. */
  winner: z.guid().optional(),
  performance_metrics: z.object({ actions_per_minute: z.number().min(0) }),
});

export const combatSession = z.object({
  session_id: z.guid(),
  mode: combatMode,
  status: z.enum(COMBAT_STATUSES),
  participants: z.array(participant),
  created_at: moment,
  /** Absent while it is prepared. */
  started_at: moment.optional(),
  ended_at: moment.optional(),
  settings: ofClient,
  stats: combatStats,
  version: z.int().min(1).max(2_147_483_647),
});

export const combatsReply = listCounts.extend({ sessions: z.array(combatSession) });

export const combatEvent = z.object({
  /** 1, 2, 3 … of the match, without a gap; the id of the server-sent event too. */
  sequence,
  type: z.enum(COMBAT_EVENTS),
  timestamp: moment,
  data: ofClient,
});

export const combatState = z.object({
  session_id: z.guid(),
  phase: z.enum(COMBAT_PHASES),
  /** Seconds; stands still while it is paused. */
  time_remaining: count,
  participants: z.array(participant),
  environment: ofClient.optional(),
  /** The last ones, in their order. */
  events: z.array(combatEvent).max(SHOWN_EVENTS_MAX),
});

export const actionResult = z.object({
  action_id: z.guid(),
  success: z.literal(true),
  sequence,
  damage_dealt: count,
  effects: z.array(effect),
  /** Right after the action. */
  new_state: combatState,
  timestamp: moment,
});

/** With an action that comes too early. */
export const cooldown = z.object({
  /** Seconds. */
  ready_in: z.number().min(0),
});

export type ActionType = z.infer<typeof actionType>;
export type CombatMode = z.infer<typeof combatMode>;
export type CombatRules = z.infer<typeof combatRules>;
export type CreateCombatRequest = z.infer<typeof createCombatRequest>;
export type CombatListQuery = z.infer<typeof combatListQuery>;
export type PlayersRequest = z.infer<typeof playersRequest>;
export type ActionRequest = z.infer<typeof actionRequest>;
export type ActionResult = z.infer<typeof actionResult>;
export type CombatSession = z.infer<typeof combatSession>;
export type CombatsReply = z.infer<typeof combatsReply>;
export type CombatState = z.infer<typeof combatState>;
export type CombatEvent = z.infer<typeof combatEvent>;
export type Participant = z.infer<typeof participant>;
