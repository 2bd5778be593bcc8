-- Do the tables keep in shape? Size, dead rows and updates of every table of Keybeat, partitions of the history
-- included; the largest first. Counts are PostgreSQL's own statistics, since they were last reset.
--
-- How to read it: `heap_only_percent` of active_sessions must be near 100: a heartbeat that is not heap-only writes
-- into indexes too. Then somebody added an index on last_heartbeat, or a transaction open for hours keeps the pages
-- full (locks.sql and connections.sql show it). `dead_percent` far over 20 with an old `last_vacuum` means that
-- autovacuum does not keep up. Rows in session_history_default mean that endings fell into a month without a
-- partition; the cleanup makes partitions ahead and drops the months past HISTORY_RETENTION_DAYS.
SELECT t.relname AS table_name,
       pg_size_pretty(pg_total_relation_size(t.relid)) AS size,
       pg_size_pretty(pg_indexes_size(t.relid)) AS of_it_indexes,
       t.n_live_tup AS live_rows,
       t.n_dead_tup AS dead_rows,
       round(100.0 * t.n_dead_tup / nullif(t.n_live_tup + t.n_dead_tup, 0), 1) AS dead_percent,
       t.n_tup_upd AS updates,
       round(100.0 * t.n_tup_hot_upd / nullif(t.n_tup_upd, 0), 1) AS heap_only_percent,
       date_trunc('second', greatest(t.last_vacuum, t.last_autovacuum)) AS last_vacuum
FROM pg_stat_user_tables t
WHERE t.relid IN (to_regclass('active_sessions'), to_regclass('keys'), to_regclass('service_state'))
   OR t.relid IN (SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = to_regclass('session_history'))
ORDER BY pg_total_relation_size(t.relid) DESC, t.relname;
