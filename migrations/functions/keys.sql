-- Access keys: creating, changing, finding, revoking and erasing them.

-- Why a key is good for nothing at that moment: key_revoked, key_expired. Null: it is good.
CREATE OR REPLACE FUNCTION key_fault(owner keys, at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE WHEN owner.revoked_at IS NOT NULL THEN 'key_revoked' WHEN owner.expires_at <= at THEN 'key_expired' END
$$;

-- The words of a label, for searching by their beginnings, regardless of punctuation.
CREATE OR REPLACE FUNCTION label_words(label text) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT
AS $$
  SELECT to_tsvector('simple'::regconfig, translate(label, $chars$!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~$chars$, repeat(' ', 32)))
$$;

-- Requires every word of it to begin a word of the label. Null, which matches nothing, if it has no word.
CREATE OR REPLACE FUNCTION label_query(label text) RETURNS tsquery
LANGUAGE sql IMMUTABLE STRICT
AS $$
  SELECT to_tsquery('simple'::regconfig, string_agg(word || ':*', ' & '))
  FROM regexp_split_to_table(
    translate(label, $chars$!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~$chars$, repeat(' ', 32)), '\s+') AS word
  WHERE word <> ''
$$;

-- Keeps a label's words up to date. A start changes no label, so it pays nothing.
CREATE OR REPLACE FUNCTION keep_key_words() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    DELETE FROM key_words w WHERE w.key_id = OLD.id;
  END IF;
  IF TG_OP <> 'DELETE' AND NEW.label IS NOT NULL THEN
    INSERT INTO key_words (key_id, words) VALUES (NEW.id, label_words(NEW.label));
  END IF;
  RETURN NULL;
END
$$;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'keys'::regclass AND tgname = 'keep_key_words') THEN
    CREATE TRIGGER keep_key_words AFTER INSERT OR DELETE OR UPDATE OF label ON keys
    FOR EACH ROW EXECUTE FUNCTION keep_key_words();
  END IF;
END
$$;

-- Adds a key. No row: it exists already, and stays as it is.
CREATE OR REPLACE FUNCTION create_key(
  hash bytea, alias bytea, prefix text, with_label text, until timestamptz, who text, from_address text,
  OUT id bigint, OUT created_at timestamptz
) RETURNS SETOF record
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting();
  INSERT INTO keys AS k (key_hash, key_prefix, label, expires_at)
  SELECT hash, prefix, with_label, until WHERE NOT EXISTS (SELECT FROM keys WHERE key_hash = alias)
  ON CONFLICT (key_hash) DO NOTHING RETURNING k.id, k.created_at INTO create_key.id, create_key.created_at;
  IF FOUND THEN
    PERFORM limit_waiting();
    PERFORM record_audit(who, from_address, 'key_created', create_key.id,
                         jsonb_build_object('label', with_label, 'expires_at', until));
    PERFORM limit_waiting();
    RETURN NEXT;
  END IF;
END
$$;

-- Adds keys, [{hash, alias, prefix, label, expires_at}], with one entry in the audit log; existing ones stay as they
-- are. Returns how many are new. In hash order, so that two imports of the same keys do not deadlock.
CREATE OR REPLACE FUNCTION import_keys(given jsonb, who text, from_address text) RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
  imported integer;
BEGIN
  PERFORM limit_waiting();
  INSERT INTO keys (key_hash, key_prefix, label, expires_at)
  SELECT decode(key.hash, 'hex'), key.prefix, key.label, key.expires_at
  FROM ROWS FROM (
    jsonb_to_recordset(given) AS (hash text, alias text, prefix text, label text, expires_at timestamptz)
  ) WITH ORDINALITY AS key (hash, alias, prefix, label, expires_at, at)
  WHERE NOT EXISTS (SELECT FROM keys WHERE key_hash = decode(key.alias, 'hex'))
  ORDER BY key.hash COLLATE "C", key.at
  ON CONFLICT (key_hash) DO NOTHING;
  GET DIAGNOSTICS imported = ROW_COUNT;
  IF imported > 0 THEN
    PERFORM limit_waiting();
    PERFORM record_audit(who, from_address, 'keys_imported', NULL, jsonb_build_object(
      'imported', imported, 'skipped_known', jsonb_array_length(given) - imported));
    PERFORM limit_waiting();
  END IF;
  RETURN imported;
END
$$;

-- Applies `changes` (label, expires_at). Returns whether the key exists.
CREATE OR REPLACE FUNCTION change_key(of_key bigint, changes jsonb, who text, from_address text) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting();
  UPDATE keys k
  SET label = CASE WHEN changes ? 'label' THEN changes->>'label' ELSE k.label END,
      expires_at = CASE WHEN changes ? 'expires_at' THEN (changes->>'expires_at')::timestamptz ELSE k.expires_at END
  WHERE k.id = of_key;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM limit_waiting();
  PERFORM record_audit(who, from_address, 'key_changed', of_key, changes);
  PERFORM limit_waiting();
  RETURN true;
END
$$;

-- Lifts a key's revocation.
CREATE OR REPLACE FUNCTION restore_key(of_key bigint, who text, from_address text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting();
  UPDATE keys k SET revoked_at = NULL WHERE k.id = of_key AND k.revoked_at IS NOT NULL;
  IF FOUND THEN
    PERFORM limit_waiting();
    PERFORM record_audit(who, from_address, 'key_restored', of_key, NULL);
    PERFORM limit_waiting();
  END IF;
END
$$;

-- Revokes a key and ends its live session in one transaction, with start_session's lock order, so that no start slips
-- in between. A second revocation keeps the first one's time. known: whether the key exists.
CREATE OR REPLACE FUNCTION revoke_key(of_key bigint, with_note text, OUT known boolean, OUT session_revoked boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
  PERFORM limit_waiting();
  PERFORM FROM keys k WHERE k.id = of_key FOR NO KEY UPDATE;
  known := FOUND;
  UPDATE keys k SET revoked_at = clock_timestamp() WHERE k.id = of_key AND k.revoked_at IS NULL;
  session_revoked := kick_session(of_key, NULL, with_note);
END
$$;

-- Erases a key with all that is known of its devices: its history, and what the audit log says of it beyond who did
-- what and when. Its present session leaves only a bare tombstone, so that its device is told.
CREATE OR REPLACE FUNCTION erase_key(of_key bigint, OUT known boolean, OUT session_revoked boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  present_generation bigint;
BEGIN
  PERFORM limit_waiting();
  PERFORM FROM keys k WHERE k.id = of_key FOR UPDATE;
  known := FOUND;
  session_revoked := false;
  IF NOT known THEN
    RETURN;
  END IF;
  SELECT s.generation INTO present_generation FROM active_sessions s WHERE s.key_id = of_key;
  session_revoked := kick_session(of_key, NULL, NULL);
  PERFORM limit_waiting();
  DELETE FROM session_history h WHERE h.key_id = of_key AND h.generation IS DISTINCT FROM present_generation;
  UPDATE session_history h
  SET access_key = '…', device = NULL, replaced_by_device = NULL, note = NULL WHERE h.key_id = of_key;
  PERFORM limit_waiting();
  UPDATE audit_log a SET details = NULL WHERE a.key_id = of_key AND a.details IS NOT NULL;
  DELETE FROM keys k WHERE k.id = of_key;
  PERFORM limit_waiting();
END
$$;
