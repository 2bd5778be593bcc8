-- drizzle-kit generated this file from drizzle/. Added by hand: the fillfactor, which leaves room on the page for the next report, and the row of settings.
CREATE TABLE "batch_events" (
	"run" bigint NOT NULL,
	"id" bigint NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"event" text NOT NULL,
	"data" jsonb NOT NULL,
	CONSTRAINT "batch_events_run_id_pk" PRIMARY KEY("run","id")
);
--> statement-breakpoint
CREATE TABLE "batch_idempotency_keys" (
	"key" text PRIMARY KEY NOT NULL,
	"request_hash" "bytea" NOT NULL,
	"session_id" uuid NOT NULL,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "batch_nodes" (
	"run" bigint NOT NULL,
	"node_id" text NOT NULL,
	"group_no" smallint,
	"status" text,
	"result" jsonb,
	"error" text,
	"started_at" timestamp with time zone,
	"completed_at" timestamp with time zone,
	"carried" boolean DEFAULT false NOT NULL,
	CONSTRAINT "batch_nodes_run_node_id_pk" PRIMARY KEY("run","node_id"),
	CONSTRAINT "batch_nodes_status" CHECK ("batch_nodes"."status" IN ('success', 'failed', 'skipped')),
	CONSTRAINT "batch_nodes_times" CHECK ("batch_nodes"."started_at" <= "batch_nodes"."completed_at")
);
--> statement-breakpoint
CREATE TABLE "batch_sessions" (
	"run" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "batch_sessions_run_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"session_id" uuid NOT NULL,
	"canvas_path" text NOT NULL,
	"node_count" integer NOT NULL,
	"metadata" jsonb NOT NULL,
	"plan" jsonb,
	"timeout_seconds" integer,
	"status" text DEFAULT 'pending' NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"started_at" timestamp with time zone,
	"completed_at" timestamp with time zone,
	"ended_reason" text,
	"error_message" text,
	"message" text,
	"progress_sent" double precision,
	"attempt" integer DEFAULT 0 NOT NULL,
	"worker" text,
	"claimed_at" timestamp with time zone,
	"worker_seen" timestamp with time zone,
	"last_report" timestamp with time zone NOT NULL,
	"clock_steps" bigint NOT NULL,
	"not_over_before" timestamp with time zone,
	"result_bytes" bigint DEFAULT 0 NOT NULL,
	"last_event" bigint DEFAULT 0 NOT NULL,
	"carried_nodes" integer DEFAULT 0 NOT NULL,
	"resumed_from" uuid,
	"resumed_as" uuid,
	CONSTRAINT "batch_sessions_status" CHECK ("batch_sessions"."status" IN ('pending', 'running', 'completed', 'partial_failure', 'failed', 'cancelled')),
	CONSTRAINT "batch_sessions_ended_reason" CHECK ("batch_sessions"."ended_reason" IN ('reported', 'cancelled', 'silence', 'deadline', 'operator')),
	CONSTRAINT "batch_sessions_ended" CHECK (("batch_sessions"."status" IN ('pending', 'running')) = ("batch_sessions"."completed_at" IS NULL) AND ("batch_sessions"."completed_at" IS NULL) = ("batch_sessions"."ended_reason" IS NULL)),
	CONSTRAINT "batch_sessions_started" CHECK ("batch_sessions"."status" IN ('pending', 'cancelled') OR "batch_sessions"."started_at" IS NOT NULL),
	CONSTRAINT "batch_sessions_progress" CHECK ("batch_sessions"."progress_sent" BETWEEN 0 AND 100)
) WITH (fillfactor = 50);
--> statement-breakpoint
CREATE TABLE "batch_settings" (
	"singleton" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"silence_seconds" integer DEFAULT 1800 NOT NULL,
	CONSTRAINT "batch_settings_one_row" CHECK ("batch_settings"."singleton")
);
--> statement-breakpoint
ALTER TABLE "batch_events" ADD CONSTRAINT "batch_events_run_batch_sessions_run_fk" FOREIGN KEY ("run") REFERENCES "public"."batch_sessions"("run") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "batch_nodes" ADD CONSTRAINT "batch_nodes_run_batch_sessions_run_fk" FOREIGN KEY ("run") REFERENCES "public"."batch_sessions"("run") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "batch_idempotency_keys_created_at_index" ON "batch_idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "batch_nodes_status_index" ON "batch_nodes" USING btree ("run","status","group_no");--> statement-breakpoint
CREATE UNIQUE INDEX "batch_sessions_session_id_unique" ON "batch_sessions" USING btree ("session_id");--> statement-breakpoint
CREATE INDEX "batch_sessions_status_index" ON "batch_sessions" USING btree ("status","run");--> statement-breakpoint
CREATE INDEX "batch_sessions_canvas_path_index" ON "batch_sessions" USING btree ("canvas_path" text_pattern_ops);--> statement-breakpoint
CREATE INDEX "batch_sessions_not_over_before_index" ON "batch_sessions" USING btree ("not_over_before") WHERE "batch_sessions"."completed_at" IS NULL;--> statement-breakpoint
CREATE INDEX "batch_sessions_clock_steps_index" ON "batch_sessions" USING btree ("clock_steps") WHERE "batch_sessions"."completed_at" IS NULL;--> statement-breakpoint
CREATE INDEX "batch_sessions_completed_at_index" ON "batch_sessions" USING btree ("completed_at") WHERE "batch_sessions"."completed_at" IS NOT NULL;--> statement-breakpoint
INSERT INTO batch_settings DEFAULT VALUES;
