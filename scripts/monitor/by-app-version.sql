-- Is it a release of the app? Live sessions, and the endings of the last 24 hours, by the version that devices report.
--
-- How to read it: compare the versions. One whose `expired_percent` stands out crashes, or does not end its session
-- when it quits; one with many `replaced` starts anew instead of sending heartbeats. A row without version and platform
-- counts clients that send neither.
WITH sessions AS (
  SELECT s.device,
         CASE WHEN s.last_heartbeat > (SELECT session_cutoff(clock_timestamp())) THEN 'live' ELSE 'expired' END AS state
  FROM active_sessions s
  UNION ALL
  SELECT h.device, h.reason
  FROM session_history h
  WHERE h.ended_at > now() - interval '24 hours'
)
SELECT s.device ->> 'app_version' AS app_version,
       s.device ->> 'platform' AS platform,
       count(*) FILTER (WHERE s.state = 'live') AS live,
       count(*) FILTER (WHERE s.state <> 'live') AS endings_24h,
       count(*) FILTER (WHERE s.state = 'expired') AS expired,
       count(*) FILTER (WHERE s.state = 'replaced') AS replaced,
       round(100.0 * count(*) FILTER (WHERE s.state = 'expired')
             / nullif(count(*) FILTER (WHERE s.state <> 'live'), 0), 1) AS expired_percent
FROM sessions s
GROUP BY 1, 2
ORDER BY count(*) DESC, 1, 2
LIMIT 100;
