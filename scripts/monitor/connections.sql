-- Who is connected, and is there room? The connections to this database by program and state, the longest open
-- transaction of each, and how many connections the whole server has and may have.
--
-- How to read it: each Keybeat process opens up to 10 connections named `keybeat requests`, a few each for its other
-- lanes. `server_connections` near `server_limit` means that new processes will be refused. `idle in transaction` with
-- a `longest_transaction` of minutes is somebody's forgotten session: it holds its locks and keeps vacuum from
-- clearing dead rows. `waiting_for_lock` over 0: see locks.sql.
SELECT coalesce(nullif(a.application_name, ''), '(no name)') AS program,
       coalesce(a.state, a.backend_type) AS state,
       count(*) AS connections,
       count(*) FILTER (WHERE a.wait_event_type = 'Lock') AS waiting_for_lock,
       date_trunc('second', max(clock_timestamp() - a.xact_start)) AS longest_transaction,
       (SELECT count(*) FROM pg_stat_activity c WHERE c.backend_type = 'client backend') AS server_connections,
       current_setting('max_connections')::int AS server_limit
FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
GROUP BY 1, 2
ORDER BY 3 DESC, 1, 2;
