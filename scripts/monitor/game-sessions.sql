-- Which game sessions are not over, whose are they, when do they end by themselves? Longest without a call first; at most 100
-- rows, `sessions` counts all of this state.
--
-- How to read it: a session that nobody has called for in hours was most likely left without being ended; at `ends_in` 0 it ends by
-- silence (GAME_SILENCE_SECONDS), a match also at its time, unless it is paused. `paused_for`: it stands still; who paused it
-- may be gone. `overdue`: it is over for whoever asks, and only waits for the cleanup (CLEANUP_CRON, or `keybeat cleanup`).
-- Without `mode` it is no match.
WITH rule AS MATERIALIZED (
  SELECT clock_timestamp() AS at
), unended AS (
  SELECT s, s.status, count(*) OVER (PARTITION BY s.status) AS sessions
  FROM game_sessions s
  WHERE s.ended_at IS NULL
  ORDER BY s.last_call, s.number
  LIMIT 100
)
SELECT CASE WHEN (game_overdue(u.s, rule.at)).reason IS NULL THEN u.status ELSE 'overdue' END AS state,
       mask_session_id((u.s).session_id::text) AS session,
       (u.s).type,
       c.mode,
       mask_session_id((u.s).player_id::text) AS player,
       (SELECT count(*) FROM game_participants p WHERE p.session = (u.s).number AND p.status = 'active') AS participants,
       c.total_actions AS actions,
       date_trunc('second', rule.at - (u.s).last_call) AS silent_for,
       date_trunc('second', greatest(least(game_silent_until(u.s), game_deadline(u.s)) - rule.at, interval '0')) AS ends_in,
       date_trunc('second', rule.at - (u.s).paused_at) AS paused_for,
       date_trunc('second', rule.at - (u.s).created_at) AS age,
       u.sessions
FROM rule, unended u LEFT JOIN game_combats c ON c.session = (u.s).number
ORDER BY (u.s).last_call, (u.s).number;
