-- Who is on now? The live sessions by their last heartbeat, newest first; at most 1,000 rows, `live` counts them all.
--
-- How to read it: a device beats every 25 to 30 seconds, so `silent_for` is below that for nearly all of them.
-- `expires_in` is the time left to a device that sends nothing more; after an outage of ours everybody gets a full
-- timeout from its end. `generation` is the holder's fencing token.
WITH rule AS MATERIALIZED (
  SELECT clock_timestamp() AS at, session_cutoff(clock_timestamp()) AS cutoff
)
SELECT s.access_key,
       mask_session_id(s.session_id) AS session,
       k.label,
       s.device ->> 'name' AS device,
       s.device ->> 'platform' AS platform,
       s.device ->> 'app_version' AS app_version,
       s.generation,
       date_trunc('second', s.started_at) AS started_at,
       date_trunc('second', s.last_heartbeat) AS last_heartbeat,
       date_trunc('second', rule.at - s.last_heartbeat) AS silent_for,
       date_trunc('second', greatest(session_deadline(s.last_heartbeat) - rule.at, interval '0')) AS expires_in,
       count(*) OVER () AS live
FROM rule
JOIN active_sessions s ON s.last_heartbeat > rule.cutoff
JOIN keys k ON k.id = s.key_id
ORDER BY s.last_heartbeat DESC, s.key_id
LIMIT 1000;
