DROP INDEX "game_rollups_step_index";--> statement-breakpoint
ALTER TABLE "batch_settings" ADD COLUMN "redated_to" bigint;--> statement-breakpoint
ALTER TABLE "batch_settings" ADD COLUMN "lowered_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "game_settings" ADD COLUMN "redated_to" bigint;--> statement-breakpoint
ALTER TABLE "game_settings" ADD COLUMN "lowered_at" timestamp with time zone;