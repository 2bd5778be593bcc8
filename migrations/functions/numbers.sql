-- Numbers for operators that cannot be derived from other tables.

-- Adds to the current hour's refusals: [{code, refusals}].
CREATE OR REPLACE FUNCTION add_refusals(counts jsonb) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting();
  INSERT INTO refusal_counts AS r (hour, code, refusals)
  SELECT date_trunc('hour', clock_timestamp(), 'UTC'), c.code, c.refusals
  FROM jsonb_to_recordset(counts) AS c (code text, refusals integer) ORDER BY c.code COLLATE "C"
  ON CONFLICT (hour, code) DO UPDATE SET refusals = r.refusals + excluded.refusals;
  PERFORM limit_waiting();
END
$$;

-- Raises the peak of the current hour to `live`, if it was lower.
CREATE OR REPLACE FUNCTION keep_live_peak(live integer) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting();
  INSERT INTO live_peaks AS p (hour, live, at, sampled_at)
  SELECT date_trunc('hour', at, 'UTC'), keep_live_peak.live, at, at FROM clock_timestamp() AS at
  ON CONFLICT (hour) DO UPDATE
  SET live = greatest(p.live, excluded.live), at = CASE WHEN excluded.live > p.live THEN excluded.at ELSE p.at END,
      sampled_at = excluded.sampled_at;
END
$$;
