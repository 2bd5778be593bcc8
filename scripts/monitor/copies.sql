-- Which keys are in use on two devices at once? Those whose sessions ended so within 7 days, and those that may be.
--
-- How to read it: `copied` is proven: two processes with one session id ran at once, and both were told; `copies` counts
-- the endings. `may be copied` is a live session without proof that is heard of `times_asked` as often as it was asked to;
-- nothing happens to it, and its client may just beat too often. One key with many copies is a machine or profile that was
-- cloned with the app in it; many keys of one `app_version` are a release whose processes share a session by mistake.
WITH rule AS MATERIALIZED (
  SELECT session_cutoff(clock_timestamp()) AS cutoff
), found AS (
  SELECT 'copied' AS state, h.key_id, count(*) AS copies, NULL::numeric AS times_asked, max(h.ended_at) AS seen_at,
         (array_agg(h.device ORDER BY h.ended_at DESC))[1] AS device
  FROM session_history h
  WHERE h.reason = 'cloned' AND h.ended_at > now() - interval '7 days'
  GROUP BY h.key_id
  UNION ALL
  SELECT 'may be copied', c.key_id, NULL, round(c.times_asked::numeric, 1), c.seen_at, s.device
  FROM rule
  CROSS JOIN suspected_copies c
  JOIN active_sessions s ON s.key_id = c.key_id AND s.generation = c.generation
  WHERE s.last_heartbeat > rule.cutoff AND s.proof_instance IS NULL
)
SELECT f.state,
       k.key_prefix || '…' AS access_key,
       f.key_id,
       k.label,
       f.copies,
       f.times_asked,
       f.device ->> 'name' AS device,
       f.device ->> 'platform' AS platform,
       f.device ->> 'app_version' AS app_version,
       date_trunc('second', f.seen_at) AS seen_at
FROM found f
LEFT JOIN keys k ON k.id = f.key_id
ORDER BY f.seen_at DESC, f.key_id
LIMIT 1000;
