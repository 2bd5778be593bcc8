-- drizzle-kit generated this file from drizzle/. Added by hand, as drizzle cannot say it: the fillfactors, which leave room on
-- the page so that heartbeats, starts and polls stay heap-only updates; UNLOGGED; PARTITION BY; and the last three statements.
-- The functions stand in functions/, each once.
CREATE TABLE "active_sessions" (
	"key_id" bigint PRIMARY KEY NOT NULL,
	"access_key" text NOT NULL,
	"session_id" text NOT NULL,
	"generation" bigint NOT NULL,
	"started_at" timestamp with time zone NOT NULL,
	"last_heartbeat" timestamp with time zone NOT NULL,
	"device" jsonb
) WITH (fillfactor = 50);
--> statement-breakpoint
CREATE TABLE "applied_functions" (
	"version" integer PRIMARY KEY NOT NULL,
	"hash" text NOT NULL,
	"applied_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "audit_log" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "audit_log_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone NOT NULL,
	"who" text NOT NULL,
	"from_address" text,
	"action" text NOT NULL,
	"key_id" bigint,
	"details" jsonb
);
--> statement-breakpoint
CREATE TABLE "live_peaks" (
	"hour" timestamp with time zone PRIMARY KEY NOT NULL,
	"live" integer NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"sampled_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "refusal_counts" (
	"hour" timestamp with time zone NOT NULL,
	"code" text NOT NULL,
	"refusals" integer NOT NULL,
	CONSTRAINT "refusal_counts_hour_code_pk" PRIMARY KEY("hour","code")
);
--> statement-breakpoint
CREATE TABLE "ended_sign_ins" (
	"name" text PRIMARY KEY NOT NULL,
	"ended_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "key_words" (
	"key_id" bigint PRIMARY KEY NOT NULL,
	"words" "tsvector" NOT NULL
);
--> statement-breakpoint
CREATE TABLE "keys" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "keys_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"key_hash" "bytea" NOT NULL,
	"key_prefix" text NOT NULL,
	"label" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	"last_used_at" timestamp with time zone,
	"generation" bigint DEFAULT 0 NOT NULL
) WITH (fillfactor = 80);
--> statement-breakpoint
CREATE UNLOGGED TABLE "limit_counts" (
	"key" text PRIMARY KEY NOT NULL,
	"points" integer NOT NULL,
	"expire" bigint
);
--> statement-breakpoint
CREATE TABLE "service_state" (
	"singleton" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"session_timeout_seconds" integer DEFAULT 60 NOT NULL,
	"last_tick" timestamp with time zone,
	"ticked_after" "xid8",
	"gap_began" timestamp with time zone,
	"gap_ended" timestamp with time zone,
	"gaps" "tstzmultirange" DEFAULT '{}'::tstzmultirange NOT NULL,
	"confirmed_at" timestamp with time zone,
	"clock_steps" bigint DEFAULT 0 NOT NULL,
	"clock_stepped_at" timestamp with time zone,
	"clock_stepped_seconds" double precision,
	"clock_unsettled" boolean DEFAULT false NOT NULL,
	"pepper_mark" text,
	CONSTRAINT "service_state_one_row" CHECK ("service_state"."singleton"),
	CONSTRAINT "service_state_timeout" CHECK ("service_state"."session_timeout_seconds" > 0),
	CONSTRAINT "service_state_gap" CHECK ("service_state"."gap_began" < "service_state"."gap_ended")
);
--> statement-breakpoint
CREATE TABLE "service_state_stand_ins" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "service_state_stand_ins_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"for_tick" timestamp with time zone,
	"state" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "session_history" (
	"key_id" bigint NOT NULL,
	"access_key" text NOT NULL,
	"session_id" text NOT NULL,
	"generation" bigint NOT NULL,
	"started_at" timestamp with time zone NOT NULL,
	"last_heartbeat" timestamp with time zone NOT NULL,
	"ended_at" timestamp with time zone NOT NULL,
	"reason" text NOT NULL,
	"device" jsonb,
	"replaced_by_generation" bigint,
	"replaced_by_device" jsonb,
	"note" text,
	CONSTRAINT "session_history_key_id_generation_ended_at_pk" PRIMARY KEY("key_id","generation","ended_at"),
	CONSTRAINT "session_history_reason" CHECK ("session_history"."reason" IN ('replaced', 'expired', 'ended', 'revoked')),
	CONSTRAINT "session_history_replaced_by" CHECK (("session_history"."reason" = 'replaced') = ("session_history"."replaced_by_generation" IS NOT NULL))
) PARTITION BY RANGE ("ended_at");
--> statement-breakpoint
CREATE TABLE "waiting_room" (
	"singleton" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"max_active" integer DEFAULT 20 NOT NULL,
	"max_active_configured" integer,
	"max_requests" integer DEFAULT 10 NOT NULL,
	"max_waiting" integer DEFAULT 10000 NOT NULL,
	"seat_seconds" integer DEFAULT 1800 NOT NULL,
	"waiter_seconds" integer DEFAULT 60 NOT NULL,
	"claim_seconds" integer DEFAULT 60 NOT NULL,
	"request_seconds" integer DEFAULT 300 NOT NULL,
	"paused" boolean DEFAULT false NOT NULL,
	"last_ticket" bigint DEFAULT 0 NOT NULL,
	"active" integer DEFAULT 0 NOT NULL,
	"waiting" integer[] DEFAULT '{0,0,0,0,0,0,0,0,0,0}'::integer[] NOT NULL,
	"next_due" timestamp with time zone DEFAULT 'infinity'::timestamptz NOT NULL,
	"occupied_since" timestamp with time zone,
	"vacated" timestamp with time zone[] DEFAULT '{}'::timestamptz[] NOT NULL,
	"clock_steps" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "waiting_room_one_row" CHECK ("waiting_room"."singleton"),
	CONSTRAINT "waiting_room_counts" CHECK ("waiting_room"."active" >= 0 AND 0 <= ALL ("waiting_room"."waiting"))
) WITH (fillfactor = 20);
--> statement-breakpoint
CREATE TABLE "waiting_room_moves" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "waiting_room_moves_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone NOT NULL,
	"move" text NOT NULL,
	"user_id" text,
	"priority" smallint,
	"ticket" bigint,
	"amount" integer,
	CONSTRAINT "waiting_room_moves_move" CHECK ("waiting_room_moves"."move" IN ('seated', 'queued', 'promoted', 'admitted', 'claimed', 'prioritised', 'closed', 'left', 'expired', 'abandoned', 'unclaimed', 'removed', 'capacity', 'paused', 'resumed'))
);
--> statement-breakpoint
CREATE TABLE "waiting_room_permits" (
	"permit_id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"ticket" bigint NOT NULL,
	"granted" boolean NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "waiting_room_places" (
	"user_id" text PRIMARY KEY NOT NULL,
	"session_id" text NOT NULL,
	"priority" smallint NOT NULL,
	"ticket" bigint NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"last_seen" timestamp with time zone NOT NULL,
	"seated_at" timestamp with time zone,
	"claimed" boolean DEFAULT false NOT NULL,
	CONSTRAINT "waiting_room_places_priority" CHECK ("waiting_room_places"."priority" BETWEEN 0 AND 9),
	CONSTRAINT "waiting_room_places_claimed" CHECK ("waiting_room_places"."seated_at" IS NOT NULL OR NOT "waiting_room_places"."claimed")
) WITH (fillfactor = 60);
--> statement-breakpoint
ALTER TABLE "active_sessions" ADD CONSTRAINT "active_sessions_key_id_keys_id_fk" FOREIGN KEY ("key_id") REFERENCES "public"."keys"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "waiting_room_permits" ADD CONSTRAINT "waiting_room_permits_user_id_waiting_room_places_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."waiting_room_places"("user_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "active_sessions_session_id_unique" ON "active_sessions" USING btree ("session_id");--> statement-breakpoint
CREATE INDEX "audit_log_key_id_index" ON "audit_log" USING btree ("key_id");--> statement-breakpoint
CREATE INDEX "audit_log_user_id_index" ON "audit_log" USING btree (("details"->>'user_id')) WHERE "audit_log"."details"->>'user_id' IS NOT NULL;--> statement-breakpoint
CREATE INDEX "key_words_words_index" ON "key_words" USING gin ("words");--> statement-breakpoint
CREATE UNIQUE INDEX "keys_key_hash_unique" ON "keys" USING btree ("key_hash");--> statement-breakpoint
CREATE INDEX "keys_key_prefix_index" ON "keys" USING btree ("key_prefix" text_pattern_ops);--> statement-breakpoint
CREATE INDEX "limit_counts_expire_index" ON "limit_counts" USING btree ("expire");--> statement-breakpoint
CREATE INDEX "session_history_session_id_index" ON "session_history" USING btree ("session_id");--> statement-breakpoint
CREATE INDEX "session_history_ended_at_index" ON "session_history" USING brin ("ended_at") WITH (autosummarize=true);--> statement-breakpoint
CREATE INDEX "waiting_room_moves_user_id_index" ON "waiting_room_moves" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "waiting_room_moves_at_index" ON "waiting_room_moves" USING btree ("at");--> statement-breakpoint
CREATE INDEX "waiting_room_permits_user_id_index" ON "waiting_room_permits" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "waiting_room_places_line" ON "waiting_room_places" USING btree ("priority" DESC NULLS FIRST,"ticket") WHERE "waiting_room_places"."seated_at" IS NULL;--> statement-breakpoint
CREATE TABLE session_history_default PARTITION OF session_history DEFAULT;--> statement-breakpoint
INSERT INTO service_state DEFAULT VALUES;--> statement-breakpoint
INSERT INTO waiting_room DEFAULT VALUES;
