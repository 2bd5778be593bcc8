-- Which keys does a device hold offline, and until when? The leases that hold, the one that ends last first; at most 1,000 rows.
--
-- How to read it: until then nobody else can start with the key. Where `live` is false the device is away; it is back with
-- a start that brings its lease, or gives the lease back. `keybeat sessions kick` with the `session` frees the key at once,
-- but the device is not told: it may work on until then beside the next holder. `leases` counts them all.
WITH rule AS MATERIALIZED (
  SELECT clock_timestamp() AS at, session_cutoff(clock_timestamp()) AS cutoff
)
SELECT k.key_prefix || '…' AS access_key,
       l.key_id,
       k.label,
       mask_session_id(l.session_id) AS session,
       l.device ->> 'name' AS device,
       l.generation,
       EXISTS (SELECT FROM active_sessions s WHERE s.key_id = l.key_id AND s.last_heartbeat > rule.cutoff) AS live,
       date_trunc('second', l.issued_at) AS issued_at,
       date_trunc('second', l.until) AS until,
       date_trunc('second', l.until - rule.at) AS ends_in,
       count(*) OVER () AS leases
FROM rule
JOIN leases l ON l.until > rule.at
JOIN keys k ON k.id = l.key_id
ORDER BY l.until DESC, l.key_id
LIMIT 1000;
