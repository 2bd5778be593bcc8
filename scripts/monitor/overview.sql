-- Is all well? The first thing to look at: one row, the same columns every time.
--
-- How to read it: a `last_tick` of seconds ago means that somebody serves (over 3 s: nobody does, or no process reaches
-- the database); `last_outage` is the last time that nobody did, and how long. `live` should be near its usual number
-- and `overdue` near 0: many of them, or an `oldest_overdue` of minutes, mean that no cleanup runs, which changes no
-- answer to any device. A leap in `expired_5_min` while `live` falls means that devices lose their network; a leap in
-- `takeovers_5_min`, that keys are shared or that a client starts where it should send a heartbeat. Then look into
-- stale-sessions.sql, takeovers-24h.sql, by-app-version.sql, connections.sql and locks.sql.
WITH rule AS MATERIALIZED (
  SELECT clock_timestamp() AS at, session_cutoff(clock_timestamp()) AS cutoff
), sessions AS (
  SELECT count(*) FILTER (WHERE s.last_heartbeat > rule.cutoff) AS live,
         count(*) FILTER (WHERE s.last_heartbeat <= rule.cutoff) AS overdue,
         min(s.last_heartbeat) FILTER (WHERE s.last_heartbeat <= rule.cutoff) AS oldest,
         count(*) FILTER (WHERE s.started_at > rule.at - interval '5 minutes') AS started
  FROM rule LEFT JOIN active_sessions s ON true
), endings AS (
  SELECT count(*) FILTER (WHERE h.started_at > now() - interval '5 minutes') AS started,
         count(*) FILTER (WHERE h.reason = 'replaced') AS replaced,
         count(*) FILTER (WHERE h.reason = 'expired') AS expired,
         count(*) FILTER (WHERE h.reason = 'ended') AS ended,
         count(*) FILTER (WHERE h.reason = 'revoked') AS revoked,
         count(*) FILTER (WHERE h.reason = 'cloned') AS cloned
  FROM session_history h
  WHERE h.ended_at > now() - interval '5 minutes'
)
SELECT date_trunc('second', rule.at - service.last_tick) AS last_tick,
       date_trunc('second', service.gap_ended) AS last_outage,
       date_trunc('second', service.gap_ended - service.gap_began) AS outage_lasted,
       sessions.live,
       sessions.overdue,
       date_trunc('second', rule.at - session_deadline(sessions.oldest)) AS oldest_overdue,
       sessions.started + endings.started AS starts_5_min,
       endings.replaced AS takeovers_5_min,
       endings.expired + (
         SELECT count(*) FROM active_sessions s
         WHERE s.last_heartbeat <= rule.cutoff AND session_deadline(s.last_heartbeat) > rule.at - interval '5 minutes'
       ) AS expired_5_min,
       endings.ended AS ended_5_min,
       endings.revoked AS revoked_5_min,
       endings.cloned AS cloned_5_min,
       session_timeout() AS timeout,
       pg_size_pretty(pg_database_size(current_database())) AS database_size,
       date_trunc('second', rule.at - pg_postmaster_start_time()) AS database_up
FROM rule, present_state() service, sessions, endings;
