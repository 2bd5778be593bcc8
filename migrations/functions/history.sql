-- The history, partitioned by month. The default partition takes rows whose month has no partition, so an ending never
-- fails because no cleanup ran for a long time.

-- The months from this one to three ahead that have no partition. A month with rows in the default partition keeps them
-- there, and gets none.
CREATE OR REPLACE FUNCTION missing_history_months()
RETURNS TABLE (partition_name text, since timestamptz, until timestamptz)
LANGUAGE sql
AS $$
  SELECT 'session_history_' || to_char(m.month, 'YYYY_MM'), m.month AT TIME ZONE 'UTC',
         (m.month + interval '1 month') AT TIME ZONE 'UTC'
  FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS now) clock,
       generate_series(date_trunc('month', clock.now), clock.now + interval '3 months', '1 month') AS m (month)
  WHERE to_regclass('session_history_' || to_char(m.month, 'YYYY_MM')) IS NULL AND NOT EXISTS (
    SELECT FROM session_history_default d
    WHERE d.ended_at >= m.month AT TIME ZONE 'UTC' AND d.ended_at < (m.month + interval '1 month') AT TIME ZONE 'UTC')
  ORDER BY m.month
$$;

CREATE OR REPLACE FUNCTION make_history_month(partition_name text, since timestamptz, until timestamptz) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  EXECUTE format('CREATE TABLE %I PARTITION OF session_history FOR VALUES FROM (%L) TO (%L)', partition_name, since, until);
END
$$;

-- The months wholly before the retention.
CREATE OR REPLACE FUNCTION old_history_months(retention_days integer) RETURNS SETOF text
LANGUAGE sql
AS $$
  SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  WHERE i.inhparent = 'session_history'::regclass AND c.relname ~ '^session_history_\d{4}_\d{2}$'
    AND (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC'
        <= (SELECT retention_clock()) - make_interval(days => retention_days)
  ORDER BY c.relname
$$;

-- Deletes at most 10,000 rows past the retention from the default partition.
CREATE OR REPLACE FUNCTION forget_old_history(retention_days integer) RETURNS void
LANGUAGE sql
AS $$
  DELETE FROM session_history_default d WHERE d.ctid = ANY (ARRAY(
    SELECT old.ctid FROM session_history_default old
    WHERE old.ended_at < (SELECT retention_clock()) - make_interval(days => retention_days) LIMIT 10000 FOR UPDATE SKIP LOCKED))
$$;

-- Before a new partition takes its month from the default one, PostgreSQL scans the default under a lock that blocks
-- every ending, unless a constraint proves that it has no row of the month. Beyond this size a constraint is
-- worthwhile.
CREATE OR REPLACE FUNCTION history_default_is_large() RETURNS boolean
LANGUAGE sql
AS $$ SELECT pg_relation_size('session_history_default') > 8 * 1024 * 1024 $$;

-- Claims the history's maintenance, for at most a tenth of a second of waiting: a reader of the history may hold it up,
-- and behind it every ending. Each transaction calls this first. False: another process is at it.
CREATE OR REPLACE FUNCTION claim_history() RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM set_config('lock_timeout', '100', true);
  RETURN pg_try_advisory_xact_lock(1262834005, 0);
END
$$;

-- Drops the constraints of guard_history_month; returns whether none is left.
CREATE OR REPLACE FUNCTION unguard_history() RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
  guard name;
BEGIN
  FOR guard IN
    SELECT c.conname FROM pg_constraint c
    WHERE c.conrelid = 'session_history_default'::regclass AND c.conname LIKE 'session\_history\_default\_without\_%'
  LOOP
    EXECUTE format('ALTER TABLE session_history_default DROP CONSTRAINT %I', guard);
  END LOOP;
  RETURN true;
EXCEPTION WHEN lock_not_available THEN
  RETURN false;
END
$$;

-- Creates the partitions of this month and the next three, drops months wholly before the retention, and deletes old
-- rows from the default partition. Each step is its own transaction, so that its locks last milliseconds; what cannot
-- be done within a tenth of a second is left to the next cleanup. It goes on if its caller is gone.
CREATE OR REPLACE PROCEDURE tidy_history(retention_days integer, INOUT made integer, INOUT dropped integer)
LANGUAGE plpgsql
AS $$
DECLARE
  months text[];
  month record;
  guarded boolean;
BEGIN
  made := 0;
  dropped := 0;
  IF NOT claim_history() OR NOT unguard_history() THEN
    RETURN;
  END IF;
  PERFORM forget_old_history(retention_days);
  months := ARRAY(SELECT m.partition_name FROM missing_history_months() m);
  COMMIT;
  FOR n IN 1 .. cardinality(months) LOOP
    EXIT WHEN NOT claim_history();
    SELECT m.* INTO month FROM missing_history_months() m WHERE m.partition_name = months[n];
    CONTINUE WHEN NOT FOUND;
    guarded := history_default_is_large();
    IF guarded THEN
      -- An ending in a month with the constraint but without its partition would be refused. So no month that may begin
      -- before the next cleanup gets one; its rows stay in the default partition.
      CONTINUE WHEN month.since < clock_timestamp() + interval '1 day';
      BEGIN
        EXECUTE format(
          'ALTER TABLE session_history_default ADD CONSTRAINT %I CHECK (ended_at < %L OR ended_at >= %L) NOT VALID',
          replace(months[n], 'session_history_', 'session_history_default_without_'), month.since, month.until);
      EXCEPTION WHEN lock_not_available THEN
        CONTINUE;
      END;
      COMMIT;
      -- Scans all the rows while endings go on. It may wait, too: only a vacuum waits behind it.
      BEGIN
        PERFORM set_config('lock_timeout', '5000', true);
        EXECUTE format('ALTER TABLE session_history_default VALIDATE CONSTRAINT %I',
                       replace(months[n], 'session_history_', 'session_history_default_without_'));
      EXCEPTION WHEN lock_not_available OR check_violation THEN
        months[n] := NULL;
      END;
      COMMIT;
    END IF;
    BEGIN
      IF claim_history() AND months[n] IS NOT NULL THEN
        PERFORM make_history_month(month.partition_name, month.since, month.until);
        made := made + 1;
      END IF;
    EXCEPTION WHEN lock_not_available OR check_violation THEN
      NULL;
    END;
    COMMIT;
    FOR tries IN 1 .. 50 LOOP
      PERFORM set_config('lock_timeout', '100', true);
      EXIT WHEN NOT guarded OR unguard_history();
      COMMIT;
      PERFORM pg_sleep(0.1);
    END LOOP;
    COMMIT;
  END LOOP;
  months := ARRAY(SELECT old_history_months(retention_days));
  FOR n IN 1 .. cardinality(months) LOOP
    EXIT WHEN NOT claim_history();
    BEGIN
      EXECUTE format('DROP TABLE IF EXISTS %I', months[n]);
      dropped := dropped + 1;
    EXCEPTION WHEN lock_not_available THEN
      NULL;
    END;
    COMMIT;
  END LOOP;
END
$$;

-- A new database starts with its months.
DO $$
DECLARE
  month record;
BEGIN
  IF NOT EXISTS (SELECT FROM session_history) THEN
    FOR month IN SELECT m.* FROM missing_history_months() m LOOP
      PERFORM make_history_month(month.partition_name, month.since, month.until);
    END LOOP;
  END IF;
END
$$;
