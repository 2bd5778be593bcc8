-- Records an operator's action in the transaction that performs it. Returns the entry's id.
CREATE OR REPLACE FUNCTION record_audit(who text, from_address text, action text, key_id bigint, details jsonb) RETURNS bigint
LANGUAGE sql
AS $$
  INSERT INTO audit_log (at, who, from_address, action, key_id, details)
  VALUES (clock_timestamp(), who, from_address, action, key_id, details)
  RETURNING id
$$;
