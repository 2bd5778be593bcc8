CREATE UNLOGGED TABLE "limit_counts" (
	"key" text PRIMARY KEY NOT NULL,
	"points" integer NOT NULL,
	"expire" bigint
);
--> statement-breakpoint
CREATE INDEX "limit_counts_expire_index" ON "limit_counts" USING btree ("expire");--> statement-breakpoint

-- As start_session, but a takeover may have to wait (outcome rate_limited, wait_seconds; nothing has changed):
--   when the key was taken over takeovers_max times within a minute, whoever asks;
--   when this device and the holder, who both say what they are, have taken the key from each other more than 20 times
--   within ten minutes: then until the holder has had it for 5 seconds, doubled with every third swap up to a minute.
--   Two programs that restart each other come to rest so, and a person who asks again after the pause gets through.
-- Never for a start that takes nothing over (resumed, a free key, refused anyway). takeovers_max 0: never at all.
-- It looks before it locks, so several starts of one moment may pass together. swaps: of these two.
CREATE FUNCTION start_session_in_turn(
  hash bytea, masked_key text, id text, with_device jsonb, refuse boolean, expected_generation bigint,
  takeovers_max integer,
  OUT outcome text, OUT generation bigint, OUT started_at timestamptz, OUT at timestamptz,
  OUT timeout_seconds integer, OUT holder jsonb, OUT wait_seconds integer, OUT swaps integer
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  present active_sessions;
  looked_at timestamptz := clock_timestamp();
  free_at timestamptz := looked_at;
  crowded_until timestamptz;
BEGIN
  swaps := 0;
  IF takeovers_max > 0 AND NOT refuse THEN
    SELECT s.* INTO present FROM keys k JOIN active_sessions s ON s.key_id = k.id
    WHERE k.key_hash = hash AND k.revoked_at IS NULL AND (k.expires_at > looked_at) IS NOT FALSE;
    -- Whoever has had the key for a minute is never in the way of the next: nothing to look up.
    IF present.session_id <> id AND present.started_at > looked_at - interval '1 minute'
       AND present.last_heartbeat > session_cutoff(looked_at)
       AND (expected_generation = present.generation) IS NOT FALSE THEN
      SELECT (array_agg(recent.ended_at ORDER BY recent.ended_at DESC))[takeovers_max] + interval '1 minute',
             count(*) FILTER (WHERE with_device <> present.device AND
               ((recent.device = with_device AND recent.replaced_by_device = present.device)
                OR (recent.device = present.device AND recent.replaced_by_device = with_device)))
      INTO crowded_until, swaps
      FROM (SELECT h.ended_at, h.device, h.replaced_by_device FROM session_history h
            WHERE h.key_id = present.key_id AND h.reason = 'replaced'
              AND h.ended_at > looked_at - interval '10 minutes'
            ORDER BY h.generation DESC LIMIT greatest(takeovers_max, 60)) recent;
      free_at := greatest(crowded_until, free_at);
      IF swaps > 20 THEN
        free_at := greatest(free_at, present.started_at
                            + make_interval(secs => least(60, 5 * 2 ^ least((swaps - 21) / 3, 10))));
      END IF;
    END IF;
  END IF;
  IF free_at > looked_at AND NOT EXISTS (SELECT FROM session_history h WHERE h.session_id = id) THEN
    outcome := 'rate_limited';
    wait_seconds := least(60, ceil(extract(epoch FROM free_at - looked_at)));
    RETURN;
  END IF;
  SELECT s.outcome, s.generation, s.started_at, s.at, s.timeout_seconds, s.holder
  INTO outcome, generation, started_at, at, timeout_seconds, holder
  FROM start_session(hash, masked_key, id, with_device, refuse, expected_generation) s;
END
$$;
