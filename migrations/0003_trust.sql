-- drizzle-kit generated this file from drizzle/. Added by hand: the column without its table, as the partitions have it, too; NOT VALID, because checking the history would stop every ending, and the row of the secret.
CREATE TABLE "leases" (
	"key_id" bigint PRIMARY KEY NOT NULL,
	"lease_id" text NOT NULL,
	"session_id" text NOT NULL,
	"generation" bigint NOT NULL,
	"device" jsonb,
	"issued_at" timestamp with time zone NOT NULL,
	"until" timestamp with time zone NOT NULL,
	CONSTRAINT "leases_until" CHECK ("leases"."issued_at" < "leases"."until")
);
--> statement-breakpoint
CREATE TABLE "suspected_copies" (
	"key_id" bigint PRIMARY KEY NOT NULL,
	"generation" bigint NOT NULL,
	"times_asked" real NOT NULL,
	"seen_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "trust_state" (
	"singleton" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"challenge_secret" "bytea" NOT NULL,
	CONSTRAINT "trust_state_one_row" CHECK ("trust_state"."singleton"),
	CONSTRAINT "trust_state_secret" CHECK (length("trust_state"."challenge_secret") = 32)
);
--> statement-breakpoint
ALTER TABLE "session_history" DROP CONSTRAINT "session_history_reason";--> statement-breakpoint
ALTER TABLE "active_sessions" ADD COLUMN "proof_instance" text;--> statement-breakpoint
ALTER TABLE "active_sessions" ADD COLUMN "proof_number" bigint;--> statement-breakpoint
ALTER TABLE "active_sessions" ADD COLUMN "proof_beat" text;--> statement-breakpoint
ALTER TABLE "active_sessions" ADD COLUMN "proof_displaced" text[];--> statement-breakpoint
CREATE UNIQUE INDEX "leases_lease_id_unique" ON "leases" USING btree ("lease_id");--> statement-breakpoint
ALTER TABLE "session_history" ADD CONSTRAINT "session_history_reason" CHECK ("reason" IN ('replaced', 'expired', 'ended', 'revoked', 'cloned')) NOT VALID;--> statement-breakpoint
INSERT INTO "trust_state" ("challenge_secret") VALUES (sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));
