-- The numbers of game sessions: every row that comes, changes or goes adds a row to game_rollups, in its transaction, so that
-- their sums are what SQL over the tables says, at any moment, and no row is one that all wait for. What retention or an
-- erasure takes away leaves them.

-- The five minutes that hold that moment, by their beginning.
CREATE OR REPLACE FUNCTION game_step(at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE
AS $$ SELECT date_bin(interval '5 minutes', at, timestamptz 'epoch') $$;

-- Of the histogram of durations: each bucket ends 5 % above where it begins, so that its middle is at most 2.5 % off. 0: under a
-- millisecond and up to one.
CREATE OR REPLACE FUNCTION duration_bucket(ms bigint) RETURNS smallint
LANGUAGE sql IMMUTABLE
AS $$ SELECT floor(ln(greatest(ms, 1)::double precision) / ln(1.05::double precision))::smallint $$;

-- Adds to the numbers that a session came to be so (times: 1), or ceased to be (-1).
CREATE OR REPLACE FUNCTION count_game(game game_sessions, times integer) RETURNS void
LANGUAGE sql
AS $$
  INSERT INTO game_rollups (step, type, bucket, sessions, paused, completed, terminated, duration_ms)
  SELECT game_step(game.created_at), game.type, CASE WHEN game.ended_at IS NOT NULL THEN duration_bucket(d.ms) END, times,
         times * (game.status = 'paused')::integer, times * (game.status = 'completed')::integer,
         times * (game.status = 'terminated')::integer, CASE WHEN game.ended_at IS NOT NULL THEN times * d.ms ELSE 0 END
  FROM (SELECT game_duration_ms(game, game.ended_at) AS ms) d
$$;

CREATE OR REPLACE FUNCTION count_game_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
  duration bigint;
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL AND OLD.created_at = NEW.created_at THEN
    duration := CASE WHEN NEW.ended_at IS NOT NULL THEN game_duration_ms(NEW, NEW.ended_at) END;
    INSERT INTO game_rollups (step, type, bucket, paused, completed, terminated, duration_ms)
    VALUES (game_step(NEW.created_at), NEW.type, duration_bucket(duration),
            (NEW.status = 'paused')::integer - (OLD.status = 'paused')::integer, (NEW.status = 'completed')::integer,
            (NEW.status = 'terminated')::integer, coalesce(duration, 0));
    RETURN NULL;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    PERFORM count_game(OLD, -1);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    PERFORM count_game(NEW, 1);
  END IF;
  RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER game_sessions_count_new AFTER INSERT OR DELETE ON game_sessions
FOR EACH ROW EXECUTE FUNCTION count_game_change();

-- The moments as well: whoever dates a row differently by hand moves its numbers with it.
CREATE OR REPLACE TRIGGER game_sessions_count_change AFTER UPDATE ON game_sessions
FOR EACH ROW WHEN (
  OLD.status <> NEW.status OR OLD.created_at <> NEW.created_at OR OLD.ended_at IS DISTINCT FROM NEW.ended_at
  OR (NEW.ended_at IS NOT NULL AND OLD.paused_ms <> NEW.paused_ms))
EXECUTE FUNCTION count_game_change();
