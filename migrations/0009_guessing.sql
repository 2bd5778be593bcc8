CREATE TABLE "ended_sign_ins" (
	"name" text PRIMARY KEY NOT NULL,
	"ended_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "service_state" ADD COLUMN "pepper_mark" text;--> statement-breakpoint

-- What the pepper of the keys can be known by from now on.
CREATE FUNCTION keep_pepper_mark(mark text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting();
  UPDATE service_state SET pepper_mark = mark;
END
$$;
--> statement-breakpoint

-- As in 0004, but what counts against takeovers_max is every session of the key that ended within a minute, whatever
-- ended it, and a start on a free key waits as well: one client that starts and ends in turn fills the history no faster
-- than two that replace each other. Never for a start that is resumed or refused anyway.
-- A key's generation has in it when it was last started: where that is a minute ago there is nothing to look up. What a
-- clock dated that was ahead counts for nothing: it would hold up starts until then.
CREATE OR REPLACE FUNCTION start_session_in_turn(
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
  present record;
  looked_at timestamptz := clock_timestamp();
  free_at timestamptz := looked_at;
  crowded_until timestamptz;
BEGIN
  swaps := 0;
  IF takeovers_max > 0 THEN
    SELECT k.id AS key_id, s.session_id, s.generation, s.started_at, s.device INTO present
    FROM keys k
    LEFT JOIN active_sessions s ON s.key_id = k.id AND s.last_heartbeat > session_cutoff(looked_at)
    WHERE k.key_hash = hash AND k.revoked_at IS NULL AND (k.expires_at > looked_at) IS NOT FALSE
      AND k.generation > extract(epoch FROM looked_at - interval '1 minute') * 1000000;
    IF FOUND AND (present.session_id IS NULL OR (present.session_id <> id AND NOT refuse
                  AND (expected_generation = present.generation) IS NOT FALSE)) THEN
      SELECT (array_agg(recent.ended_at ORDER BY recent.ended_at DESC))[takeovers_max] + interval '1 minute',
             count(*) FILTER (WHERE recent.reason = 'replaced' AND with_device <> present.device AND
               ((recent.device = with_device AND recent.replaced_by_device = present.device)
                OR (recent.device = present.device AND recent.replaced_by_device = with_device)))
      INTO crowded_until, swaps
      FROM (SELECT h.ended_at, h.reason, h.device, h.replaced_by_device FROM session_history h
            WHERE h.key_id = present.key_id
              AND h.ended_at BETWEEN looked_at - interval '10 minutes' AND looked_at + interval '1 second'
            ORDER BY h.generation DESC LIMIT greatest(takeovers_max, 60)) recent;
      free_at := greatest(crowded_until, free_at);
      IF swaps > 20 AND present.started_at <= looked_at + interval '1 second' THEN
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
