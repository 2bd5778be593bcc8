-- How a run goes on where one that ended left off, by the rules of batch sessions (batch.sql).

-- Makes a run that carries the successes of one that ended without completing, and has the rest still to do. Asked again,
-- or by two at once, it is the same. outcome: resumed | repeated | not_resumable | session_not_found
CREATE OR REPLACE FUNCTION resume_batch(id uuid, new_id uuid, OUT outcome text, OUT run batch_sessions)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  at timestamptz;
  old batch_sessions := enter_batch(id);
BEGIN
  run := old;
  outcome := CASE WHEN old.run IS NULL THEN 'session_not_found'
                  WHEN old.completed_at IS NULL OR old.status = 'completed' THEN 'not_resumable' END;
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;
  run := read_batch(old.resumed_as);
  IF run.run IS NOT NULL THEN
    outcome := 'repeated';
    RETURN;
  END IF;
  at := clock_timestamp();
  outcome := 'resumed';
  INSERT INTO batch_sessions (session_id, canvas_path, node_count, metadata, plan, timeout_seconds, created_at, updated_at,
                              last_report, clock_steps, not_over_before, resumed_from)
  SELECT new_id, old.canvas_path, old.node_count, old.metadata, old.plan, old.timeout_seconds, at, at, at, s.clock_steps,
         at + batch_silence(), id FROM present_state() s
  RETURNING * INTO run;
  INSERT INTO batch_nodes (run, node_id, group_no, status, result, started_at, completed_at, carried)
  SELECT resume_batch.run.run, n.node_id, n.group_no, n.status, n.result, n.started_at, n.completed_at, true
  FROM batch_nodes n WHERE n.run = old.run AND n.status = 'success';
  GET DIAGNOSTICS run.carried_nodes = ROW_COUNT;
  INSERT INTO batch_nodes (run, node_id, group_no)
  SELECT resume_batch.run.run, n.node_id, n.group_no FROM batch_nodes n
  WHERE n.run = old.run AND n.status IS DISTINCT FROM 'success' AND old.plan IS NOT NULL;
  run := tell_carried(run, at);
  UPDATE batch_sessions s
  SET carried_nodes = resume_batch.run.carried_nodes, last_event = resume_batch.run.last_event,
      result_bytes = (SELECT coalesce(sum(node_bytes(n.result, n.error)), 0) FROM batch_nodes n WHERE n.run = s.run)
  WHERE s.run = resume_batch.run.run RETURNING s.* INTO run;
  UPDATE batch_sessions s SET resumed_as = new_id WHERE s.run = old.run;
  PERFORM pg_notify('keybeat_batch', id::text);
END
$$;

-- The events of what a run has taken over, so that its events from the first on say all of it.
CREATE OR REPLACE FUNCTION tell_carried(run batch_sessions, at timestamptz) RETURNS batch_sessions
LANGUAGE plpgsql
AS $$
DECLARE
  of_group record;
BEGIN
  INSERT INTO batch_events (run, id, at, event, data)
  SELECT tell_carried.run.run, row_number() OVER w, at, 'node_complete', jsonb_strip_nulls(jsonb_build_object(
    'node_id', n.node_id, 'status', n.status, 'group_id', tell_carried.run.plan -> 'groups' -> n.group_no::integer -> 'group_id',
    'carried', true, 'completed_nodes', row_number() OVER w, 'failed_nodes', 0, 'skipped_nodes', 0,
    'total_nodes', tell_carried.run.node_count, 'progress_percent', batch_progress(tell_carried.run, (row_number() OVER w)::integer)))
  FROM batch_nodes n WHERE n.run = tell_carried.run.run AND n.carried
  WINDOW w AS (ORDER BY n.group_no, n.node_id);
  run.last_event := run.carried_nodes;
  FOR of_group IN
    SELECT g.value AS is, count(n.node_id) AS completed
    FROM jsonb_array_elements(run.plan -> 'groups') WITH ORDINALITY g (value, place)
    JOIN batch_nodes n ON n.run = tell_carried.run.run AND n.group_no = g.place - 1 AND n.status = 'success'
    GROUP BY g.place, g.value HAVING count(*) = (g.value ->> 'total_nodes')::integer ORDER BY g.place
  LOOP
    run := write_batch_event(run, at, 'group_complete', jsonb_build_object(
      'group_id', of_group.is -> 'group_id', 'status', 'completed', 'completed_nodes', of_group.completed,
      'failed_nodes', 0, 'skipped_nodes', 0, 'total_nodes', of_group.completed));
  END LOOP;
  RETURN run;
END
$$;
