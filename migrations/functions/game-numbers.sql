-- The numbers of game sessions: every row that comes, changes or goes adds a row to game_rollups, in its transaction, so that
-- their sums are what SQL over the tables says, at any moment, and no row is one that all wait for. What retention or an
-- erasure takes away leaves them.
--
-- Whoever asks adds what settling the sessions whose time is over would add (overdue_game_counts), and reads all of it by one
-- snapshot. A player's numbers are counted from that player's own sessions.
--
-- The cleanup makes one row of many (fold_game_rollups), in steps as coarse as every timeframe that still reaches them allows.

-- The timeframes, and the steps in which each is told. Each step holds whole ones of the timeframe before it.
CREATE OR REPLACE FUNCTION game_timeframes(OUT timeframe text, OUT lasts interval, OUT step interval) RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $$
  VALUES ('1h', interval '1 hour', interval '5 minutes'), ('6h', interval '6 hours', interval '30 minutes'),
         ('24h', interval '24 hours', interval '1 hour'), ('7d', interval '168 hours', interval '6 hours'),
         ('30d', interval '720 hours', interval '24 hours')
$$;

-- The five minutes that hold that moment, by their beginning.
CREATE OR REPLACE FUNCTION game_step(at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE
AS $$ SELECT date_bin(interval '5 minutes', at, timestamptz 'epoch') $$;

-- Of the histogram of durations: each bucket ends 5 % above where it begins. 0: under a millisecond and up to one.
CREATE OR REPLACE FUNCTION duration_bucket(ms bigint) RETURNS smallint
LANGUAGE sql IMMUTABLE
AS $$ SELECT floor(ln(greatest(ms, 1)::double precision) / ln(1.05::double precision))::smallint $$;

-- What stands for the durations of a bucket: at most 2.5 % off.
CREATE OR REPLACE FUNCTION bucket_ms(bucket smallint) RETURNS double precision
LANGUAGE sql IMMUTABLE
AS $$ SELECT power(1.05::double precision, bucket) * 1.025 $$;

-- What a session is in the numbers, with the actions of its match.
CREATE OR REPLACE FUNCTION game_counts(game game_sessions) RETURNS TABLE (
  step timestamptz, type text, bucket smallint, sessions integer, paused integer, completed integer, terminated integer,
  duration_ms bigint, actions bigint, refused bigint
)
LANGUAGE sql STABLE
AS $$
  SELECT game_step(game.created_at), game.type, CASE WHEN game.ended_at IS NOT NULL THEN duration_bucket(d.ms) END, 1,
         (game.status = 'paused')::integer, (game.status = 'completed')::integer, (game.status = 'terminated')::integer,
         CASE WHEN game.ended_at IS NOT NULL THEN d.ms ELSE 0 END, coalesce(c.total_actions, 0)::bigint,
         coalesce(c.refused_actions, 0)::bigint
  FROM (SELECT game_duration_ms(game, game.ended_at) AS ms) d LEFT JOIN game_combats c ON c.session = game.number
$$;

-- Adds to the numbers that a session came to be so (times: 1), or ceased to be (-1).
CREATE OR REPLACE FUNCTION count_game(game game_sessions, times integer) RETURNS void
LANGUAGE sql
AS $$
  INSERT INTO game_rollups (step, type, bucket, sessions, paused, completed, terminated, duration_ms, actions, refused)
  SELECT c.step, c.type, c.bucket, times * c.sessions, times * c.paused, times * c.completed, times * c.terminated,
         times * c.duration_ms, times * c.actions, times * c.refused
  FROM game_counts(game) c
$$;

CREATE OR REPLACE FUNCTION count_game_change() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off -- a plan made while the tables were empty must not live on when they are large
SET jit = off
AS $$
DECLARE
  duration bigint;
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL AND (OLD.created_at, OLD.type) = (NEW.created_at, NEW.type) THEN
    duration := CASE WHEN NEW.ended_at IS NOT NULL THEN game_duration_ms(NEW, NEW.ended_at) END;
    INSERT INTO game_rollups (step, type, bucket, paused, completed, terminated, duration_ms)
    VALUES (game_step(NEW.created_at), NEW.type, CASE WHEN duration IS NOT NULL THEN duration_bucket(duration) END,
            (NEW.status = 'paused')::integer - (OLD.status = 'paused')::integer, (NEW.status = 'completed')::integer,
            (NEW.status = 'terminated')::integer, coalesce(duration, 0));
    RETURN NEW;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    PERFORM count_game(OLD, -1);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    PERFORM count_game(NEW, 1);
    RETURN NEW;
  END IF;
  RETURN OLD;
END
$$;

CREATE OR REPLACE TRIGGER game_sessions_count_new AFTER INSERT ON game_sessions
FOR EACH ROW EXECUTE FUNCTION count_game_change();

-- Before: its match goes with it, and has to be counted too.
CREATE OR REPLACE TRIGGER game_sessions_count_old BEFORE DELETE ON game_sessions
FOR EACH ROW EXECUTE FUNCTION count_game_change();

-- The moments as well: whoever dates a row differently by hand moves its numbers with it.
CREATE OR REPLACE TRIGGER game_sessions_count_change AFTER UPDATE ON game_sessions
FOR EACH ROW WHEN (
  OLD.status <> NEW.status OR OLD.created_at <> NEW.created_at OR OLD.type <> NEW.type
  OR OLD.ended_at IS DISTINCT FROM NEW.ended_at OR (NEW.ended_at IS NOT NULL AND OLD.paused_ms <> NEW.paused_ms))
EXECUTE FUNCTION count_game_change();

CREATE OR REPLACE FUNCTION forget_game_counts() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  TRUNCATE game_rollups;
  RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER game_sessions_count_none AFTER TRUNCATE ON game_sessions
FOR EACH STATEMENT EXECUTE FUNCTION forget_game_counts();

-- Actions, and those that were refused. A match that goes with its session has been counted before it.
CREATE OR REPLACE FUNCTION count_combat_change() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
  INSERT INTO game_rollups (step, type, actions, refused)
  SELECT game_step(s.created_at), s.type, coalesce(NEW.total_actions, 0) - coalesce(OLD.total_actions, 0),
         coalesce(NEW.refused_actions, 0) - coalesce(OLD.refused_actions, 0)
  FROM game_sessions s WHERE s.number = coalesce(NEW.session, OLD.session);
  RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER game_combats_count_new AFTER INSERT ON game_combats
FOR EACH ROW WHEN (NEW.total_actions + NEW.refused_actions > 0) EXECUTE FUNCTION count_combat_change();

CREATE OR REPLACE TRIGGER game_combats_count_old AFTER DELETE ON game_combats
FOR EACH ROW WHEN (OLD.total_actions + OLD.refused_actions > 0) EXECUTE FUNCTION count_combat_change();

CREATE OR REPLACE TRIGGER game_combats_count_change AFTER UPDATE ON game_combats
FOR EACH ROW WHEN (OLD.total_actions <> NEW.total_actions OR OLD.refused_actions <> NEW.refused_actions)
EXECUTE FUNCTION count_combat_change();

-- What settling the sessions whose time is over would add to the numbers: the rule of game_overdue, for many at once. among:
-- their numbers; null: all.
CREATE OR REPLACE FUNCTION overdue_game_counts(at timestamptz, among bigint[] DEFAULT NULL) RETURNS TABLE (
  step timestamptz, type text, bucket smallint, paused integer, completed integer, terminated integer, duration_ms bigint
)
LANGUAGE sql STABLE
SET enable_seqscan = off
SET jit = off
AS $$
  WITH present AS MATERIALIZED (
    SELECT s AS state, s.clock_steps, s.clock_stepped_at, game_silence() AS silence, silence_cutoff(at, game_silence()) AS cutoff
    FROM present_state() s
  ), due AS (
    -- Each in its index' order: else a plan made while the table was small may walk another index for ever.
    (SELECT s.* FROM game_sessions s WHERE s.ended_at IS NULL AND s.not_over_before <= at ORDER BY s.not_over_before)
    UNION ALL
    -- Dated by a clock that has jumped: silence counts from the jump at the latest.
    SELECT s.* FROM present p, LATERAL (
      SELECT g.* FROM game_sessions g
      WHERE g.ended_at IS NULL AND g.clock_steps < p.clock_steps AND g.not_over_before > at ORDER BY g.clock_steps) s
    WHERE p.clock_stepped_at <= p.cutoff
  -- Materialized: what is reckoned once must not be put in wherever it is named.
  ), heard AS MATERIALIZED (
    SELECT d.type, d.status, d.created_at, d.paused_at, d.paused_ms,
           CASE WHEN d.max_duration_seconds IS NOT NULL THEN game_deadline(d::game_sessions) END AS deadline,
           CASE WHEN d.clock_steps = p.clock_steps THEN d.last_call ELSE least(d.last_call, p.clock_stepped_at) END AS heard
    FROM due d, present p WHERE among IS NULL OR d.number = ANY (among)
  ), silent AS MATERIALIZED (
    SELECT h.*, CASE WHEN h.heard <= p.cutoff THEN least(at, silence_deadline_at(p.state, at, h.heard, p.silence)) END AS silent_since
    FROM heard h, present p
  ), ends AS MATERIALIZED (
    SELECT s.*, CASE WHEN s.deadline <= least(at, s.silent_since) THEN s.deadline ELSE s.silent_since END AS since,
           s.deadline <= least(at, s.silent_since) AS by_deadline
    FROM silent s
  ), lasted AS MATERIALIZED (
    SELECT o.*, greatest(0, ms_between(o.created_at, o.since) - o.paused_ms - ms_between(o.paused_at, o.since)) AS ms
    FROM ends o WHERE o.since IS NOT NULL
  )
  SELECT game_step(l.created_at), l.type, duration_bucket(l.ms), -(l.status = 'paused')::integer,
         coalesce(l.by_deadline, false)::integer, (l.by_deadline IS NOT TRUE)::integer, l.ms
  FROM lasted l
$$;

-- What the sessions are in the numbers that a player has made or takes part in, those whose time is over as they are.
CREATE OR REPLACE FUNCTION game_counts_of(player uuid, at timestamptz) RETURNS TABLE (
  step timestamptz, type text, bucket smallint, sessions integer, paused integer, completed integer, terminated integer,
  duration_ms bigint, actions bigint, refused bigint
)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  own bigint[] := ARRAY(
    SELECT s.number FROM game_sessions s WHERE s.player_id = player
    UNION
    SELECT p.session FROM game_participants p WHERE p.player_id = player);
BEGIN
  RETURN QUERY
    SELECT c.* FROM unnest(own) o (number),
      LATERAL (SELECT g.* FROM game_sessions g WHERE g.number = o.number OFFSET 0) s, game_counts(s) c
    UNION ALL
    SELECT o.step, o.type, o.bucket, 0, o.paused, o.completed, o.terminated, o.duration_ms, 0, 0
    FROM overdue_game_counts(at, own) o;
END
$$;

-- The numbers within a timeframe, of one type or all (null), of what a player sees or, for a service, of everything; at: now.
-- active: at that moment, whenever they were created. Percentiles are of the histogram's middles; null: nothing has ended.
-- by_type: [type, sessions]. steps: [beginning in ms since 1970, sessions, completed, ended, their ms]. performance: of the
-- service, where it is wanted; see game_performance_since.
CREATE OR REPLACE FUNCTION game_numbers(
  of_timeframe text, of_type text, player uuid, is_service boolean, wants_performance boolean,
  at timestamptz DEFAULT clock_timestamp(), OUT active bigint, OUT sessions bigint, OUT paused bigint, OUT completed bigint,
  OUT terminated bigint, OUT duration_ms bigint, OUT actions bigint, OUT refused bigint, OUT p50_ms double precision,
  OUT p95_ms double precision, OUT by_type jsonb, OUT steps jsonb, OUT performance jsonb
)
LANGUAGE plpgsql STABLE
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  frame record;
  begins timestamptz;
BEGIN
  SELECT * INTO frame FROM game_timeframes() t WHERE t.timeframe = of_timeframe;
  begins := date_bin(frame.step, at - frame.lasts, timestamptz 'epoch');
  WITH counted AS (
    SELECT r.step, r.type, r.bucket, r.sessions, r.paused, r.completed, r.terminated, r.duration_ms, r.actions, r.refused
    FROM game_rollups r WHERE is_service
    UNION ALL
    SELECT o.step, o.type, o.bucket, 0, o.paused, o.completed, o.terminated, o.duration_ms, 0, 0
    FROM overdue_game_counts(at) o WHERE is_service
    UNION ALL
    SELECT * FROM game_counts_of(player, at) c WHERE NOT is_service
  ), sums AS MATERIALIZED (
    SELECT CASE WHEN c.step >= begins THEN date_bin(frame.step, c.step, timestamptz 'epoch') END AS period, c.type, c.bucket,
           sum(c.sessions) AS sessions, sum(c.paused) AS paused, sum(c.completed) AS completed, sum(c.terminated) AS terminated,
           sum(c.duration_ms)::bigint AS duration_ms, sum(c.actions)::bigint AS actions, sum(c.refused)::bigint AS refused
    FROM counted c WHERE of_type IS NULL OR c.type = of_type GROUP BY 1, 2, 3
  ), within AS (
    SELECT * FROM sums s WHERE s.period IS NOT NULL
  ), ranks AS (
    SELECT b.bucket, sum(b.ended) OVER (ORDER BY b.bucket) AS upto, sum(b.ended) OVER () AS ended
    FROM (SELECT w.bucket, sum(w.completed + w.terminated) AS ended FROM within w WHERE w.bucket IS NOT NULL GROUP BY w.bucket) b
  ), types AS (
    SELECT w.type, sum(w.sessions) AS sessions FROM within w GROUP BY w.type
  ), told AS MATERIALIZED (
    SELECT w.period, sum(w.sessions) AS sessions, sum(w.completed) AS completed, sum(w.completed + w.terminated) AS ended,
           sum(w.duration_ms) AS duration_ms
    FROM within w GROUP BY w.period
  ), periods AS (
    SELECT p.period, coalesce(t.sessions, 0) AS sessions, coalesce(t.completed, 0) AS completed, coalesce(t.ended, 0) AS ended,
           coalesce(t.duration_ms, 0) AS duration_ms
    FROM (SELECT g FROM generate_series(begins, at, frame.step) g UNION SELECT t.period FROM told t) p (period)
    LEFT JOIN told t ON t.period = p.period
  )
  SELECT t.*, (SELECT bucket_ms(min(r.bucket)) FROM ranks r WHERE r.upto >= ceil(0.5 * r.ended) AND r.ended > 0),
         (SELECT bucket_ms(min(r.bucket)) FROM ranks r WHERE r.upto >= ceil(0.95 * r.ended) AND r.ended > 0),
         (SELECT coalesce(jsonb_agg(jsonb_build_array(y.type, y.sessions)), '[]') FROM types y),
         (SELECT jsonb_agg(jsonb_build_array(extract(epoch FROM p.period) * 1000, p.sessions, p.completed, p.ended, p.duration_ms)
                           ORDER BY p.period) FROM periods p),
         CASE WHEN wants_performance THEN game_performance_since(begins, at) END
  INTO active, sessions, paused, completed, terminated, duration_ms, actions, refused, p50_ms, p95_ms, by_type, steps, performance
  FROM (
    SELECT coalesce(sum(s.sessions - s.paused - s.completed - s.terminated), 0),
           coalesce(sum(s.sessions) FILTER (WHERE s.period IS NOT NULL), 0),
           coalesce(sum(s.paused) FILTER (WHERE s.period IS NOT NULL), 0),
           coalesce(sum(s.completed) FILTER (WHERE s.period IS NOT NULL), 0),
           coalesce(sum(s.terminated) FILTER (WHERE s.period IS NOT NULL), 0),
           coalesce(sum(s.duration_ms) FILTER (WHERE s.period IS NOT NULL), 0),
           coalesce(sum(s.actions) FILTER (WHERE s.period IS NOT NULL), 0),
           coalesce(sum(s.refused) FILTER (WHERE s.period IS NOT NULL), 0)
    FROM sums s) t;
END
$$;

-- Keeps what a process has measured, or, where the table is locked or the caller waits no longer, nothing of it.
CREATE OR REPLACE FUNCTION keep_game_performance(
  by_process uuid, for_seconds double precision, calls integer, total_ms double precision, buckets integer[]
) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting(2000);
  INSERT INTO game_performance (process, at, seconds, calls, total_ms, buckets)
  VALUES (by_process, clock_timestamp(), for_seconds, calls, total_ms, buckets);
  PERFORM limit_waiting();
END
$$;

-- How fast this service answered from that moment on: calls, total_ms, seconds (since the first of them was measured) and, by
-- the buckets of their duration, how many. Null: nothing was measured.
CREATE OR REPLACE FUNCTION game_performance_since(begins timestamptz, until timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
SET jit = off
AS $$
  SELECT jsonb_build_object(
    'calls', sum(p.calls), 'total_ms', sum(p.total_ms),
    'seconds', extract(epoch FROM until - min(p.at - make_interval(secs => p.seconds))),
    'buckets', (SELECT jsonb_agg(b.calls ORDER BY b.place)
                FROM (SELECT u.place, sum(u.calls) AS calls
                      FROM game_performance q, unnest(q.buckets) WITH ORDINALITY AS u (calls, place) WHERE q.at >= begins
                      GROUP BY u.place) b))
  FROM game_performance p WHERE p.at >= begins HAVING count(*) > 0
$$;

-- Before when steps may be made how coarse: whole coarse steps, which end before the last timeframe that is told more finely. An
-- hour more, so that a clock that is set back by that finds what it asks for; the last width holds everything before.
CREATE OR REPLACE FUNCTION coarser_game_steps(at timestamptz, OUT before timestamptz, OUT width interval) RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $$
  SELECT date_bin(coalesce(lead(t.step) OVER longer, t.step), at - t.lasts - t.step - interval '1 hour', timestamptz 'epoch'),
         coalesce(lead(t.step) OVER longer, interval '876000 hours')
  FROM game_timeframes() t WINDOW longer AS (ORDER BY t.lasts)
$$;

-- Makes one row of those that belong together, at most so many at once; no sum changes, and nobody waits. By retention_clock: a
-- clock that leaps ahead makes nothing coarser. Returns by how many rows there are fewer.
CREATE OR REPLACE FUNCTION fold_game_rollups(at_most integer, OUT folded integer)
LANGUAGE plpgsql
SET jit = off
AS $$
BEGIN
  folded := 0;
  IF NOT pg_try_advisory_xact_lock(1262834009, 0) THEN
    RETURN;
  END IF;
  WITH coarser AS MATERIALIZED (
    SELECT c.* FROM coarser_game_steps(retention_clock()) c
  ), aimed AS (
    SELECT r.id, r.step, coalesce(w.step, r.step) AS into_step,
           count(*) OVER (PARTITION BY coalesce(w.step, r.step), r.type, r.bucket) AS together
    FROM game_rollups r LEFT JOIN LATERAL (
      SELECT date_bin(c.width, r.step, timestamptz 'epoch') AS step FROM coarser c WHERE r.step < c.before
      ORDER BY c.width DESC LIMIT 1) w ON true
  ), gone AS (
    DELETE FROM game_rollups r
    USING (SELECT a.id, a.into_step FROM aimed a WHERE a.together > 1 OR a.step <> a.into_step LIMIT at_most) a
    WHERE r.id = a.id
    RETURNING a.into_step, r.type, r.bucket, r.sessions, r.paused, r.completed, r.terminated, r.duration_ms, r.actions, r.refused
  ), added AS (
    INSERT INTO game_rollups (step, type, bucket, sessions, paused, completed, terminated, duration_ms, actions, refused)
    SELECT g.into_step, g.type, g.bucket, sum(g.sessions), sum(g.paused), sum(g.completed), sum(g.terminated),
           sum(g.duration_ms), sum(g.actions), sum(g.refused)
    FROM gone g GROUP BY 1, 2, 3
    HAVING (sum(g.sessions), sum(g.paused), sum(g.completed), sum(g.terminated), sum(g.duration_ms), sum(g.actions), sum(g.refused))
           <> (0, 0, 0, 0, 0, 0, 0)
    RETURNING 1
  )
  SELECT (SELECT count(*) FROM gone) - (SELECT count(*) FROM added) INTO folded;
END
$$;

-- The same for what was measured, where it is older than the first timeframe; what is older than the last one goes.
CREATE OR REPLACE FUNCTION fold_game_performance(at_most integer, OUT folded integer)
LANGUAGE plpgsql
SET jit = off
AS $$
BEGIN
  folded := 0;
  IF NOT pg_try_advisory_xact_lock(1262834009, 1) THEN
    RETURN;
  END IF;
  WITH coarser AS MATERIALIZED (
    SELECT c.* FROM coarser_game_steps(retention_clock()) c
  ), aimed AS (
    SELECT p.process, p.at, date_bin(w.width, p.at, timestamptz 'epoch') AS into_step,
           w.width = (SELECT max(c.width) FROM coarser c) AS is_old,
           count(*) OVER (PARTITION BY date_bin(w.width, p.at, timestamptz 'epoch')) AS together
    FROM game_performance p, LATERAL (
      SELECT c.width FROM coarser c WHERE p.at < c.before ORDER BY c.width DESC LIMIT 1) w
  ), gone AS (
    DELETE FROM game_performance p
    USING (SELECT a.* FROM aimed a WHERE a.together > 1 OR a.is_old LIMIT at_most) a
    WHERE p.process = a.process AND p.at = a.at
    RETURNING a.into_step, a.is_old, p.at, p.seconds, p.calls, p.total_ms, p.buckets
  ), added AS (
    INSERT INTO game_performance (process, at, seconds, calls, total_ms, buckets)
    SELECT '00000000-0000-0000-0000-000000000000', max(g.at),
           extract(epoch FROM max(g.at) - min(g.at - make_interval(secs => g.seconds))), sum(g.calls), sum(g.total_ms),
           ARRAY(SELECT sum(u.calls)::integer FROM gone h, unnest(h.buckets) WITH ORDINALITY AS u (calls, place)
                 WHERE h.into_step = g.into_step GROUP BY u.place ORDER BY u.place)
    FROM gone g WHERE NOT g.is_old GROUP BY g.into_step
    RETURNING 1
  )
  SELECT (SELECT count(*) FROM gone) - (SELECT count(*) FROM added) INTO folded;
END
$$;
