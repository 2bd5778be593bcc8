-- The history in months. The default partition takes what has no month of its own, so that an ending never fails
-- because nobody ran the cleanup for a long time.

CREATE TABLE session_history_default PARTITION OF session_history DEFAULT;
--> statement-breakpoint

-- Makes the partitions of this month and the next three, drops the months that lie wholly before the retention, and
-- takes at most 10,000 older rows out of the default partition. Returns the number of partitions made and dropped.
-- A reader of the history may hold it up, and behind it every ending: so for a tenth of a second at most, and it is tried
-- again at the next cleanup.
CREATE FUNCTION maintain_history(retention_days integer, OUT made integer, OUT dropped integer)
LANGUAGE plpgsql
AS $$
DECLARE
  at timestamptz := clock_timestamp();
  month timestamp;
  partition_name text;
BEGIN
  made := 0;
  dropped := 0;
  PERFORM set_config('lock_timeout', '100', true);
  -- One at a time; whoever comes second has nothing left to do.
  IF NOT pg_try_advisory_xact_lock(1262834005, 0) THEN
    RETURN;
  END IF;

  FOR month IN
    SELECT generate_series(date_trunc('month', at AT TIME ZONE 'UTC'), (at AT TIME ZONE 'UTC') + interval '3 months', '1 month')
  LOOP
    partition_name := 'session_history_' || to_char(month, 'YYYY_MM');
    -- Where the default partition already holds rows of that month, they stay there.
    CONTINUE WHEN to_regclass(partition_name) IS NOT NULL OR EXISTS (
      SELECT FROM session_history_default d
      WHERE d.ended_at >= month AT TIME ZONE 'UTC' AND d.ended_at < (month + interval '1 month') AT TIME ZONE 'UTC');
    EXECUTE format('CREATE TABLE %I PARTITION OF session_history FOR VALUES FROM (%L) TO (%L)', partition_name,
                   month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
    made := made + 1;
  END LOOP;

  FOR partition_name IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'session_history'::regclass AND c.relname ~ '^session_history_\d{4}_\d{2}$'
      AND (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC'
          <= at - make_interval(days => retention_days)
  LOOP
    EXECUTE format('DROP TABLE %I', partition_name);
    dropped := dropped + 1;
  END LOOP;

  DELETE FROM session_history_default d WHERE d.ctid = ANY (ARRAY(
    SELECT old.ctid FROM session_history_default old
    WHERE old.ended_at < at - make_interval(days => retention_days) LIMIT 10000));
END
$$;
--> statement-breakpoint

SELECT maintain_history(36500);
