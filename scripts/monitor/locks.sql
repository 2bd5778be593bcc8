-- Who waits for whom? Every connection that waits for a lock, with those that block it; the longest wait first.
-- No row: nobody waits.
--
-- How to read it: a start or an end of Keybeat waits at most 2 seconds and then answers 503, so the same `blocked_by`
-- over many rows is what to look at. If it is `idle in transaction`, it is a forgotten session and may be ended with
-- SELECT pg_terminate_backend(<blocked_by>). Literals in statements are left out, as they may be keys or session ids.
SELECT a.pid,
       coalesce(nullif(a.application_name, ''), '(no name)') AS program,
       date_trunc('milliseconds', clock_timestamp() - a.query_start) AS waiting_for,
       left(regexp_replace(a.query, '''[^'']*''?', '''…''', 'g'), 100) AS statement,
       blocker AS blocked_by,
       coalesce(nullif(b.application_name, ''), '(no name)') AS blocking_program,
       b.state AS blocking_state,
       date_trunc('second', clock_timestamp() - b.xact_start) AS blocking_transaction,
       left(regexp_replace(b.query, '''[^'']*''?', '''…''', 'g'), 100) AS blocking_statement
FROM pg_stat_activity a
CROSS JOIN LATERAL unnest(pg_blocking_pids(a.pid)) AS blocker
LEFT JOIN pg_stat_activity b ON b.pid = blocker
WHERE a.datname = current_database() AND a.wait_event_type = 'Lock'
ORDER BY a.query_start, a.pid, blocker;
