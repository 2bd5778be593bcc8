-- Why did sessions end? The endings of the last 24 hours by hour (UTC) and reason, the newest hour first.
--
-- How to read it: `ended` is a device that said goodbye, `replaced` one that was taken over, `expired` one that fell
-- silent (counted in the hour in which its timeout ran out, even if no cleanup has seen it yet), `revoked` one that an
-- operator ended, `cloned` one that two processes proved to use at once. A tower of `expired` in one hour is an outage, theirs or ours.
WITH hours AS (
  SELECT generate_series(date_trunc('hour', now(), 'UTC') - interval '23 hours', now(), '1 hour') AS hour
), endings AS (
  SELECT h.ended_at, h.reason
  FROM session_history h
  WHERE h.ended_at >= date_trunc('hour', now(), 'UTC') - interval '23 hours'
  UNION ALL
  SELECT session_deadline(s.last_heartbeat), 'expired'
  FROM active_sessions s
  WHERE s.last_heartbeat <= (SELECT session_cutoff(clock_timestamp()))
)
SELECT hours.hour AT TIME ZONE 'UTC' AS hour_utc,
       count(e.reason) AS endings,
       count(*) FILTER (WHERE e.reason = 'ended') AS ended,
       count(*) FILTER (WHERE e.reason = 'replaced') AS replaced,
       count(*) FILTER (WHERE e.reason = 'expired') AS expired,
       count(*) FILTER (WHERE e.reason = 'revoked') AS revoked,
       count(*) FILTER (WHERE e.reason = 'cloned') AS cloned
FROM hours
LEFT JOIN endings e ON date_trunc('hour', e.ended_at, 'UTC') = hours.hour
GROUP BY hours.hour
ORDER BY hours.hour DESC;
