-- Deletes limit counts that are over, and those dated by a clock that ran ahead.
CREATE OR REPLACE FUNCTION forget_limit_counts() RETURNS void
LANGUAGE sql
SET lock_timeout = '100ms'
AS $$
  DELETE FROM limit_counts c WHERE c.key = ANY (ARRAY(
    SELECT old.key FROM limit_counts old
    WHERE old.expire NOT BETWEEN extract(epoch FROM clock_timestamp()) * 1000 - 60000
                         AND extract(epoch FROM clock_timestamp()) * 1000 + 120000
    LIMIT 100000 FOR UPDATE SKIP LOCKED))
$$;
