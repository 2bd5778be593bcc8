-- Whoever is in the room waits for nobody longer than a tenth of a second (enter_room). That must not bind the commit: one
-- that tells others (NOTIFY) queues behind the commits of the whole server, other databases included, and on a slow disk
-- a tenth of a second is soon over. A function's own setting ends with the function; the caller's limit then holds again.
DO $$
DECLARE
  in_room regprocedure;
BEGIN
  FOR in_room IN
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = current_schema()::regnamespace AND p.prosrc LIKE '%enter_room()%'
  LOOP
    EXECUTE format('ALTER FUNCTION %s SET lock_timeout = ''2s''', in_room);
  END LOOP;
END
$$;
