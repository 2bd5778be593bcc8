-- drizzle-kit generated this file from drizzle/. Added by hand: the status of the matches there are.
DROP INDEX "game_combats_mode_index";--> statement-breakpoint
DROP INDEX "game_combats_open_index";--> statement-breakpoint
ALTER TABLE "game_combats" ADD COLUMN "status" text DEFAULT 'active' NOT NULL;--> statement-breakpoint
UPDATE "game_combats" c SET "status" = s."status" FROM "game_sessions" s WHERE s."number" = c."session" AND s."status" <> 'active';--> statement-breakpoint
CREATE INDEX "game_combats_mode_status_index" ON "game_combats" USING btree ("mode","status","session");--> statement-breakpoint
CREATE INDEX "game_combats_open_status_index" ON "game_combats" USING btree ("mode","status","session") WHERE "game_combats"."open";--> statement-breakpoint
CREATE INDEX "game_combats_preparation_index" ON "game_combats" USING btree ("session") WHERE "game_combats"."started_at" IS NULL AND "game_combats"."status" = 'active';