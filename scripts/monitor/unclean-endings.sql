-- How many sessions end without a goodbye? The share of `expired` among all endings, by day (UTC), over the last 30
-- days; the newest day first, which is not over yet. Days without an ending are left out.
--
-- How to read it: every crash, dead battery and lost network ends as expired, so a few percent are normal. A share that
-- rises with a release of the app is a client that does not end its session when it quits (by-app-version.sql shows
-- which); a single high day is an outage.
WITH endings AS (
  SELECT h.ended_at, h.reason
  FROM session_history h
  WHERE h.ended_at >= date_trunc('day', now(), 'UTC') - interval '29 days'
  UNION ALL
  SELECT session_deadline(s.last_heartbeat), 'expired'
  FROM active_sessions s
  WHERE s.last_heartbeat <= (SELECT session_cutoff(clock_timestamp()))
)
SELECT (e.ended_at AT TIME ZONE 'UTC')::date AS day_utc,
       count(*) AS endings,
       count(*) FILTER (WHERE e.reason = 'expired') AS expired,
       round(100.0 * count(*) FILTER (WHERE e.reason = 'expired') / count(*), 1) AS expired_percent
FROM endings e
WHERE e.ended_at >= date_trunc('day', now(), 'UTC') - interval '29 days'
GROUP BY 1
ORDER BY 1 DESC;
