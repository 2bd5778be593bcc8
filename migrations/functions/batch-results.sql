-- The results of a run's nodes, by the rules of batch sessions (batch.sql).

-- What a node's result weighs.
CREATE OR REPLACE FUNCTION node_bytes(result jsonb, error text) RETURNS integer
LANGUAGE sql IMMUTABLE
AS $$ SELECT coalesce(octet_length(result::text), 0) + coalesce(octet_length(error), 0) $$;

-- How far a group of the plan is. Over with any failure is failed, and so is one with any that the run's end has left unfinished.
CREATE OR REPLACE FUNCTION batch_group_status(total integer, completed integer, failed integer, skipped integer, run_is_over boolean)
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE WHEN failed > 0 AND (run_is_over OR completed + failed + skipped = total) THEN 'failed'
              WHEN completed + failed + skipped = total THEN 'completed'
              WHEN completed + failed + skipped > 0 THEN 'running' ELSE 'pending' END
$$;

-- The events of a node's result: node_complete, and group_complete where its group is over with it, or over in another way
-- than before. The caller holds the run, and has written the node; before is its row until then.
CREATE OR REPLACE FUNCTION tell_result(run batch_sessions, node batch_nodes, before batch_nodes, at timestamptz) RETURNS batch_sessions
LANGUAGE plpgsql
AS $$
DECLARE
  counted record := count_nodes(run.run);
  in_group record;
  of_group jsonb := run.plan -> 'groups' -> node.group_no::integer;
  was text;
  became text;
BEGIN
  run := write_batch_event(run, at, 'node_complete', jsonb_strip_nulls(jsonb_build_object(
    'node_id', node.node_id, 'status', node.status, 'group_id', of_group -> 'group_id', 'error', left(node.error, 1000),
    'carried', nullif(node.carried, false),
    'completed_nodes', counted.completed, 'failed_nodes', counted.failed, 'skipped_nodes', counted.skipped,
    'total_nodes', run.node_count,
    'progress_percent', batch_progress(run, counted.completed + counted.failed + counted.skipped))));
  IF of_group IS NULL THEN
    RETURN run;
  END IF;
  in_group := count_group(run.run, node.group_no);
  became := batch_group_status(
    (of_group ->> 'total_nodes')::integer, in_group.completed, in_group.failed, in_group.skipped, false);
  was := batch_group_status(
    (of_group ->> 'total_nodes')::integer,
    in_group.completed - (node.status = 'success')::integer + (before.status IS NOT DISTINCT FROM 'success')::integer,
    in_group.failed - (node.status = 'failed')::integer + (before.status IS NOT DISTINCT FROM 'failed')::integer,
    in_group.skipped - (node.status = 'skipped')::integer + (before.status IS NOT DISTINCT FROM 'skipped')::integer, false);
  IF became IN ('completed', 'failed') AND became <> was THEN
    run := write_batch_event(run, at, 'group_complete', jsonb_build_object(
      'group_id', of_group -> 'group_id', 'status', became, 'completed_nodes', in_group.completed,
      'failed_nodes', in_group.failed, 'skipped_nodes', in_group.skipped, 'total_nodes', of_group -> 'total_nodes'));
  END IF;
  RETURN run;
END
$$;

-- Takes in a node's result; the same again changes nothing, another one takes its place. bytes_max: of all results of a run.
-- outcome: stored | duplicate | too_many_nodes | unknown_node | run_full | session_not_found | session_over |
-- attempt_replaced | attempt_unknown
CREATE OR REPLACE FUNCTION put_node(
  id uuid, node text, with_status text, with_result jsonb, with_error text, began timestamptz, ended timestamptz,
  with_attempt integer, bytes_max bigint, OUT outcome text, OUT run batch_sessions, OUT stored batch_nodes
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  at timestamptz;
  before batch_nodes;
  grown bigint;
BEGIN
  run := enter_batch(id);
  at := clock_timestamp();
  outcome := fence_batch(run, with_attempt);
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;
  SELECT n.* INTO before FROM batch_nodes n WHERE n.run = put_node.run.run AND n.node_id = node;
  stored := before;
  IF before.run IS NULL THEN
    stored.run := run.run;
    stored.node_id := node;
    outcome := CASE WHEN run.plan IS NOT NULL THEN 'unknown_node'
                    -- Each node that is in has an event, so with fewer events nobody need count.
                    WHEN run.last_event >= run.node_count
                         AND (SELECT count(*) FROM batch_nodes n WHERE n.run = put_node.run.run) >= run.node_count
                    THEN 'too_many_nodes' END;
  END IF;
  stored.status := with_status;
  stored.result := with_result;
  stored.error := with_error;
  stored.started_at := began;
  stored.completed_at := ended;
  grown := node_bytes(with_result, with_error) - node_bytes(before.result, before.error);
  IF outcome IS NULL AND grown > 0 AND run.result_bytes + grown > bytes_max THEN
    outcome := 'run_full';
  END IF;
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;
  run := hear_batch(run, with_attempt, at);
  IF before = stored THEN
    outcome := 'duplicate';
  ELSE
    outcome := 'stored';
    stored.carried := false;
    INSERT INTO batch_nodes AS n SELECT stored.*
    ON CONFLICT ON CONSTRAINT batch_nodes_run_node_id_pk DO UPDATE
    SET status = excluded.status, result = excluded.result, error = excluded.error, started_at = excluded.started_at,
        completed_at = excluded.completed_at, carried = false;
    run.result_bytes := run.result_bytes + grown;
    run.progress_sent := NULL;
    run.updated_at := at;
    run := tell_result(run, stored, before, at);
  END IF;
  PERFORM keep_batch(run);
END
$$;
