-- Which keys change hands? The 50 keys with the most takeovers in the last 24 hours.
--
-- How to read it: `between_devices` counts the takeovers where the newcomer's name or platform differs from the old
-- holder's: many of them, with `devices` over 1, are a shared key. Takeovers within one device are a client that
-- starts again instead of sending heartbeats, or an app that crashes. A `shortest_hold` of seconds with many takeovers
-- is two devices that keep taking the key from each other: at least one reclaims it by itself, which it must not.
-- Devices that sent no name and no platform cannot be told apart.
WITH takeovers AS (
  SELECT h.key_id, h.access_key, h.ended_at, h.ended_at - h.started_at AS held,
         concat_ws(' / ', h.device ->> 'name', h.device ->> 'platform') AS loser,
         concat_ws(' / ', h.replaced_by_device ->> 'name', h.replaced_by_device ->> 'platform') AS winner
  FROM session_history h
  WHERE h.reason = 'replaced' AND h.ended_at > now() - interval '24 hours'
)
SELECT max(t.access_key) AS access_key,
       t.key_id,
       max(k.label) AS label,
       count(*) AS takeovers,
       count(*) FILTER (WHERE t.loser <> t.winner) AS between_devices,
       (SELECT count(DISTINCT device) FROM unnest(array_agg(t.loser) || array_agg(t.winner)) AS device) AS devices,
       date_trunc('second', min(t.held)) AS shortest_hold,
       date_trunc('second', max(t.ended_at)) AS last_takeover,
       (array_agg(t.winner ORDER BY t.ended_at DESC))[1] AS last_taken_by
FROM takeovers t
LEFT JOIN keys k ON k.id = t.key_id
GROUP BY t.key_id
ORDER BY takeovers DESC, between_devices DESC, t.key_id
LIMIT 50;
