-- drizzle-kit generated this file; three things it cannot say were added by hand: PARTITION BY on session_history,
-- and the two fillfactors, which leave room on the page so that heartbeats and starts stay heap-only updates.
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
CREATE TABLE "service_state" (
	"singleton" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"session_timeout_seconds" integer DEFAULT 60 NOT NULL,
	"last_tick" timestamp with time zone,
	"gap_began" timestamp with time zone,
	"gap_ended" timestamp with time zone,
	CONSTRAINT "service_state_one_row" CHECK ("service_state"."singleton"),
	CONSTRAINT "service_state_timeout" CHECK ("service_state"."session_timeout_seconds" > 0),
	CONSTRAINT "service_state_gap" CHECK ("service_state"."gap_began" < "service_state"."gap_ended")
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
	CONSTRAINT "session_history_key_id_generation_ended_at_pk" PRIMARY KEY("key_id","generation","ended_at"),
	CONSTRAINT "session_history_reason" CHECK ("session_history"."reason" IN ('replaced', 'expired', 'ended', 'revoked')),
	CONSTRAINT "session_history_replaced_by" CHECK (("session_history"."reason" = 'replaced') = ("session_history"."replaced_by_generation" IS NOT NULL))
) PARTITION BY RANGE ("ended_at");
--> statement-breakpoint
ALTER TABLE "active_sessions" ADD CONSTRAINT "active_sessions_key_id_keys_id_fk" FOREIGN KEY ("key_id") REFERENCES "public"."keys"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "active_sessions_session_id_unique" ON "active_sessions" USING btree ("session_id");--> statement-breakpoint
CREATE UNIQUE INDEX "keys_key_hash_unique" ON "keys" USING btree ("key_hash");--> statement-breakpoint
CREATE INDEX "keys_key_prefix_index" ON "keys" USING btree ("key_prefix" text_pattern_ops);--> statement-breakpoint
CREATE INDEX "session_history_session_id_index" ON "session_history" USING btree ("session_id");