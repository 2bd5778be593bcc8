-- Who fell silent? Sessions past the timeout that no cleanup has moved to the history yet (`overdue`), and live ones
-- in the last quarter of their timeout (`nearly`). Longest silence first; at most 1,000 rows, `of_this_state` counts
-- all.
--
-- How to read it: a few of each are normal. An overdue session holds no key and is never answered as live; it
-- only waits for the cleanup. `overdue_for` of minutes means that no cleanup runs: see CLEANUP_CRON, or run
-- `keybeat cleanup`. Many `nearly` at once mean that heartbeats do not arrive: look at the network and the balancer. An
-- `expires_in` of 0 means that nobody serves just now, so nobody expires.
WITH rule AS MATERIALIZED (
  SELECT clock_timestamp() AS at, session_cutoff(clock_timestamp()) AS cutoff,
         clock_timestamp() + session_timeout() / 4 AS soon
), threshold AS MATERIALIZED (
  -- After an outage of ours, no session that it credits is near its end until the first survivor is.
  SELECT CASE WHEN session_deadline(cutoff + interval '1 microsecond') <= soon
              THEN soon - session_timeout() ELSE cutoff END AS heartbeat
  FROM rule
)
SELECT CASE WHEN s.last_heartbeat <= rule.cutoff THEN 'overdue' ELSE 'nearly' END AS state,
       s.access_key,
       mask_session_id(s.session_id) AS session,
       s.device ->> 'name' AS device,
       s.device ->> 'platform' AS platform,
       s.device ->> 'app_version' AS app_version,
       date_trunc('second', s.last_heartbeat) AS last_heartbeat,
       date_trunc('second', rule.at - s.last_heartbeat) AS silent_for,
       CASE WHEN s.last_heartbeat <= rule.cutoff
            THEN date_trunc('second', rule.at - session_deadline(s.last_heartbeat)) END AS overdue_for,
       CASE WHEN s.last_heartbeat > rule.cutoff
            THEN date_trunc('second', greatest(session_deadline(s.last_heartbeat) - rule.at, interval '0'))
       END AS expires_in,
       count(*) OVER (PARTITION BY s.last_heartbeat <= rule.cutoff) AS of_this_state
FROM rule
CROSS JOIN threshold
JOIN active_sessions s ON s.last_heartbeat <= threshold.heartbeat
ORDER BY s.last_heartbeat, s.key_id
LIMIT 1000;
