-- How many were on at once? The peak of sessions live at the same time, by hour (UTC), over the last 24 hours; the
-- newest hour first, which is not over yet.
--
-- How to read it: a takeover counts as one session at every moment, as the old one ends when the new one begins. A
-- session that fell silent counts until its timeout ran out. `starts` and `endings` are those of the hour: many more
-- of both than usual at the same peak are devices that lose and regain their session.
WITH rule AS NOT MATERIALIZED ( -- so that months outside the period are not read
  SELECT now() AS at, date_trunc('hour', now(), 'UTC') - interval '23 hours' AS since
), sessions AS (
  SELECT h.started_at, h.ended_at
  FROM rule JOIN session_history h ON h.ended_at > rule.since
  UNION ALL
  SELECT s.started_at,
         CASE WHEN s.last_heartbeat <= (SELECT session_cutoff(clock_timestamp()))
              THEN session_deadline(s.last_heartbeat) END
  FROM active_sessions s
), changes AS (
  SELECT greatest(s.started_at, rule.since) AS at, 1 AS change, (s.started_at >= rule.since)::int AS start, 0 AS ending
  FROM rule JOIN sessions s ON s.ended_at IS NULL OR s.ended_at > rule.since
  UNION ALL
  SELECT s.ended_at, -1, 0, 1
  FROM rule JOIN sessions s ON s.ended_at > rule.since
  UNION ALL
  -- An hour without events keeps the level it began with.
  SELECT generate_series(rule.since, rule.at, '1 hour'), 0, 0, 0
  FROM rule
), levels AS (
  -- At one moment, endings come before beginnings.
  SELECT c.at, c.start, c.ending, sum(c.change) OVER (ORDER BY c.at, c.change) AS live
  FROM changes c
)
SELECT date_trunc('hour', l.at, 'UTC') AT TIME ZONE 'UTC' AS hour_utc,
       max(l.live) AS peak,
       sum(l.start) AS starts,
       sum(l.ending) AS endings
FROM levels l
GROUP BY 1
ORDER BY 1 DESC;
