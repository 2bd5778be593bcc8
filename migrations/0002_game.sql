-- drizzle-kit generated this file from drizzle/. Added by hand: the fillfactors, which leave room on the page for the next call or action, and the row of settings.
CREATE TABLE "game_combats" (
	"session" bigint PRIMARY KEY NOT NULL,
	"mode" text NOT NULL,
	"difficulty" text,
	"rules" jsonb NOT NULL,
	"founders" uuid[] NOT NULL,
	"open" boolean DEFAULT false NOT NULL,
	"max_participants" smallint DEFAULT 100 NOT NULL,
	"preparation_seconds" integer DEFAULT 0 NOT NULL,
	"started_at" timestamp with time zone,
	"last_sequence" bigint DEFAULT 0 NOT NULL,
	"total_actions" integer DEFAULT 0 NOT NULL,
	"refused_actions" integer DEFAULT 0 NOT NULL,
	"total_damage" bigint DEFAULT 0 NOT NULL,
	"eliminations" integer DEFAULT 0 NOT NULL,
	"winner" uuid,
	CONSTRAINT "game_combats_mode" CHECK ("game_combats"."mode" IN ('pvp', 'pve', 'arena', 'tournament')),
	CONSTRAINT "game_combats_difficulty" CHECK ("game_combats"."difficulty" IN ('easy', 'normal', 'hard', 'expert')),
	CONSTRAINT "game_combats_founders" CHECK (cardinality("game_combats"."founders") BETWEEN 1 AND 100),
	CONSTRAINT "game_combats_max_participants" CHECK ("game_combats"."max_participants" BETWEEN 1 AND 100),
	CONSTRAINT "game_combats_preparation" CHECK ("game_combats"."preparation_seconds" BETWEEN 0 AND 3600),
	CONSTRAINT "game_combats_started" CHECK ("game_combats"."started_at" IS NOT NULL OR "game_combats"."preparation_seconds" > 0),
	CONSTRAINT "game_combats_counts" CHECK (least("game_combats"."last_sequence", "game_combats"."total_actions", "game_combats"."refused_actions", "game_combats"."total_damage", "game_combats"."eliminations") >= 0)
) WITH (fillfactor = 70);
--> statement-breakpoint
CREATE TABLE "game_events" (
	"session" bigint NOT NULL,
	"sequence" bigint NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"event" text NOT NULL,
	"player_id" uuid,
	"action_type" text,
	"target_id" uuid,
	"action_id" uuid,
	"request_hash" "bytea",
	"data" jsonb NOT NULL,
	CONSTRAINT "game_events_session_sequence_pk" PRIMARY KEY("session","sequence"),
	CONSTRAINT "game_events_event" CHECK ("game_events"."event" IN ('action', 'joined', 'left', 'started', 'paused', 'resumed', 'ended')),
	CONSTRAINT "game_events_action_type" CHECK ("game_events"."action_type" IN ('attack', 'defend', 'ability', 'move', 'item_use')),
	CONSTRAINT "game_events_action" CHECK (CASE WHEN "game_events"."event" = 'action' THEN num_nonnulls("game_events"."player_id", "game_events"."action_type", "game_events"."action_id", "game_events"."request_hash") = 4 ELSE num_nonnulls("game_events"."action_type", "game_events"."action_id", "game_events"."request_hash") = 0 END),
	CONSTRAINT "game_events_sequence" CHECK ("game_events"."sequence" > 0)
);
--> statement-breakpoint
CREATE TABLE "game_idempotency_keys" (
	"caller" text NOT NULL,
	"key" text NOT NULL,
	"request_hash" "bytea" NOT NULL,
	"session_id" uuid NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	CONSTRAINT "game_idempotency_keys_caller_key_pk" PRIMARY KEY("caller","key")
);
--> statement-breakpoint
CREATE TABLE "game_log_entries" (
	"session" bigint NOT NULL,
	"id" integer NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"event" text NOT NULL,
	"message" text,
	"data" jsonb,
	CONSTRAINT "game_log_entries_session_id_pk" PRIMARY KEY("session","id")
);
--> statement-breakpoint
CREATE TABLE "game_participants" (
	"session" bigint NOT NULL,
	"player_id" uuid NOT NULL,
	"place" smallint NOT NULL,
	"joined_at" timestamp with time zone NOT NULL,
	"status" text DEFAULT 'active' NOT NULL,
	"score" integer DEFAULT 0 NOT NULL,
	"health" integer NOT NULL,
	"defending" boolean DEFAULT false NOT NULL,
	"ready_at" jsonb,
	CONSTRAINT "game_participants_session_player_id_pk" PRIMARY KEY("session","player_id"),
	CONSTRAINT "game_participants_status" CHECK ("game_participants"."status" IN ('active', 'eliminated', 'disconnected')),
	CONSTRAINT "game_participants_place" CHECK ("game_participants"."place" BETWEEN 1 AND 32767),
	CONSTRAINT "game_participants_score" CHECK ("game_participants"."score" >= 0),
	CONSTRAINT "game_participants_health" CHECK ("game_participants"."health" >= 0)
) WITH (fillfactor = 60);
--> statement-breakpoint
CREATE TABLE "game_performance" (
	"process" uuid NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"seconds" double precision NOT NULL,
	"calls" integer NOT NULL,
	"total_ms" double precision NOT NULL,
	"buckets" integer[] NOT NULL,
	CONSTRAINT "game_performance_process_at_pk" PRIMARY KEY("process","at"),
	CONSTRAINT "game_performance_calls" CHECK ("game_performance"."calls" >= 0)
);
--> statement-breakpoint
CREATE TABLE "game_rollups" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "game_rollups_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"step" timestamp with time zone NOT NULL,
	"type" text NOT NULL,
	"bucket" smallint,
	"sessions" integer DEFAULT 0 NOT NULL,
	"paused" integer DEFAULT 0 NOT NULL,
	"completed" integer DEFAULT 0 NOT NULL,
	"terminated" integer DEFAULT 0 NOT NULL,
	"duration_ms" bigint DEFAULT 0 NOT NULL,
	"actions" bigint DEFAULT 0 NOT NULL,
	"refused" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "game_rollups_type" CHECK ("game_rollups"."type" IN ('combat', 'player', 'auth', 'custom'))
);
--> statement-breakpoint
CREATE TABLE "game_sessions" (
	"number" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "game_sessions_number_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"session_id" uuid NOT NULL,
	"type" text NOT NULL,
	"player_id" uuid NOT NULL,
	"status" text DEFAULT 'active' NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"metadata" jsonb,
	"settings" jsonb,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"ended_at" timestamp with time zone,
	"ended_reason" text,
	"paused_at" timestamp with time zone,
	"paused_ms" bigint DEFAULT 0 NOT NULL,
	"max_duration_seconds" integer,
	"last_call" timestamp with time zone NOT NULL,
	"clock_steps" bigint NOT NULL,
	"not_over_before" timestamp with time zone,
	"last_entry" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "game_sessions_type" CHECK ("game_sessions"."type" IN ('combat', 'player', 'auth', 'custom')),
	CONSTRAINT "game_sessions_status" CHECK ("game_sessions"."status" IN ('active', 'paused', 'completed', 'terminated')),
	CONSTRAINT "game_sessions_ended_reason" CHECK ("game_sessions"."ended_reason" IN ('requested', 'silence', 'max_duration', 'decided', 'operator')),
	CONSTRAINT "game_sessions_ended" CHECK (("game_sessions"."status" IN ('active', 'paused')) = ("game_sessions"."ended_at" IS NULL) AND ("game_sessions"."ended_at" IS NULL) = ("game_sessions"."ended_reason" IS NULL) AND ("game_sessions"."ended_at" IS NULL) = ("game_sessions"."not_over_before" IS NOT NULL)),
	CONSTRAINT "game_sessions_paused" CHECK (("game_sessions"."status" = 'paused') = ("game_sessions"."paused_at" IS NOT NULL)),
	CONSTRAINT "game_sessions_paused_ms" CHECK ("game_sessions"."paused_ms" >= 0),
	CONSTRAINT "game_sessions_version" CHECK ("game_sessions"."version" > 0),
	CONSTRAINT "game_sessions_max_duration" CHECK ("game_sessions"."max_duration_seconds" IS NULL OR ("game_sessions"."type" = 'combat' AND "game_sessions"."max_duration_seconds" BETWEEN 60 AND 3600))
) WITH (fillfactor = 75);
--> statement-breakpoint
CREATE TABLE "game_settings" (
	"singleton" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"silence_seconds" integer DEFAULT 86400 NOT NULL,
	CONSTRAINT "game_settings_one_row" CHECK ("game_settings"."singleton")
);
--> statement-breakpoint
ALTER TABLE "game_combats" ADD CONSTRAINT "game_combats_session_game_sessions_number_fk" FOREIGN KEY ("session") REFERENCES "public"."game_sessions"("number") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "game_events" ADD CONSTRAINT "game_events_session_game_combats_session_fk" FOREIGN KEY ("session") REFERENCES "public"."game_combats"("session") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "game_log_entries" ADD CONSTRAINT "game_log_entries_session_game_sessions_number_fk" FOREIGN KEY ("session") REFERENCES "public"."game_sessions"("number") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "game_participants" ADD CONSTRAINT "game_participants_session_game_combats_session_fk" FOREIGN KEY ("session") REFERENCES "public"."game_combats"("session") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "game_combats_mode_index" ON "game_combats" USING btree ("mode","session");--> statement-breakpoint
CREATE INDEX "game_combats_open_index" ON "game_combats" USING btree ("session") WHERE "game_combats"."open";--> statement-breakpoint
CREATE UNIQUE INDEX "game_events_action_id_unique" ON "game_events" USING btree ("session","action_id") WHERE "game_events"."action_id" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "game_idempotency_keys_created_at_index" ON "game_idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "game_idempotency_keys_session_id_index" ON "game_idempotency_keys" USING btree ("session_id");--> statement-breakpoint
CREATE INDEX "game_participants_player_index" ON "game_participants" USING btree ("player_id","session");--> statement-breakpoint
CREATE INDEX "game_performance_at_index" ON "game_performance" USING btree ("at");--> statement-breakpoint
CREATE INDEX "game_rollups_step_index" ON "game_rollups" USING btree ("step","type");--> statement-breakpoint
CREATE UNIQUE INDEX "game_sessions_session_id_unique" ON "game_sessions" USING btree ("session_id");--> statement-breakpoint
CREATE INDEX "game_sessions_player_index" ON "game_sessions" USING btree ("player_id","number");--> statement-breakpoint
CREATE INDEX "game_sessions_type_status_index" ON "game_sessions" USING btree ("type","status","number");--> statement-breakpoint
CREATE INDEX "game_sessions_created_at_index" ON "game_sessions" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "game_sessions_not_over_before_index" ON "game_sessions" USING btree ("not_over_before") WHERE "game_sessions"."ended_at" IS NULL;--> statement-breakpoint
CREATE INDEX "game_sessions_clock_steps_index" ON "game_sessions" USING btree ("clock_steps") WHERE "game_sessions"."ended_at" IS NULL;--> statement-breakpoint
CREATE INDEX "game_sessions_ended_at_index" ON "game_sessions" USING btree ("ended_at") WHERE "game_sessions"."ended_at" IS NOT NULL;--> statement-breakpoint
INSERT INTO game_settings DEFAULT VALUES;
