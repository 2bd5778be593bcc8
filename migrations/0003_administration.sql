-- Administration: the audit log, what an operator tells a device, counters, and searching. Everything here only adds, so
-- that the version before runs on this database too: it goes on with explain_sessions, look_at_sessions, revoke_session
-- and revoke_key, which stay as they were and know nothing of notes.
--
-- All of it is one transaction, and devices go on meanwhile. So what takes long comes first and locks nothing that they
-- need; what holds up starts and endings comes last and is short.

-- The words of a label, for searching by their beginnings, whatever stands between them.
CREATE FUNCTION label_words(label text) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT
AS $$
  SELECT to_tsvector('simple'::regconfig, translate(label, $chars$!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~$chars$, repeat(' ', 32)))
$$;
--> statement-breakpoint

-- Every word of it must begin a word of the label. Null, which fits nothing, where there is no word in it.
CREATE FUNCTION label_query(label text) RETURNS tsquery
LANGUAGE sql IMMUTABLE STRICT
AS $$
  SELECT to_tsquery('simple'::regconfig, string_agg(word || ':*', ' & '))
  FROM regexp_split_to_table(
    translate(label, $chars$!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~$chars$, repeat(' ', 32)), '\s+') AS word
  WHERE word <> ''
$$;
--> statement-breakpoint

CREATE TABLE "key_words" (
	"key_id" bigint PRIMARY KEY NOT NULL,
	"words" "tsvector" NOT NULL
);
--> statement-breakpoint

INSERT INTO key_words (key_id, words) SELECT id, label_words(label) FROM keys WHERE label IS NOT NULL;
--> statement-breakpoint

CREATE INDEX "key_words_words_index" ON "key_words" USING gin ("words");
--> statement-breakpoint

ANALYZE key_words;
--> statement-breakpoint

CREATE TABLE "audit_log" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "audit_log_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone NOT NULL,
	"who" text NOT NULL,
	"from_address" text,
	"action" text NOT NULL,
	"key_id" bigint,
	"details" jsonb
);
--> statement-breakpoint

CREATE TABLE "live_peaks" (
	"hour" timestamp with time zone PRIMARY KEY NOT NULL,
	"live" integer NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"sampled_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint

CREATE TABLE "refusal_counts" (
	"hour" timestamp with time zone NOT NULL,
	"code" text NOT NULL,
	"refusals" integer NOT NULL,
	CONSTRAINT "refusal_counts_hour_code_pk" PRIMARY KEY("hour","code")
);
--> statement-breakpoint

CREATE INDEX "audit_log_key_id_index" ON "audit_log" USING btree ("key_id");
--> statement-breakpoint

-- Writes down what an operator did, in the transaction that does it. Returns the entry's id.
CREATE FUNCTION record_audit(who text, from_address text, action text, key_id bigint, details jsonb) RETURNS bigint
LANGUAGE sql
AS $$
  INSERT INTO audit_log (at, who, from_address, action, key_id, details)
  VALUES (clock_timestamp(), who, from_address, action, key_id, details)
  RETURNING id
$$;
--> statement-breakpoint

-- Keeps the words with the label. A start changes no label, so it pays nothing.
CREATE FUNCTION keep_key_words() RETURNS trigger
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
--> statement-breakpoint

-- The months that are over first: nobody writes to them. The index of the whole then takes these in, and locks what is
-- written to only for the present month, a third of a second a million endings.
DO $$
DECLARE
  part regclass;
BEGIN
  FOR part IN
    SELECT i.inhrelid FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'session_history'::regclass AND c.relname ~ '^session_history_\d{4}_\d{2}$'
      AND to_date(right(c.relname, 7), 'YYYY_MM') < date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')
  LOOP
    EXECUTE format('CREATE INDEX ON %s USING brin (ended_at) WITH (autosummarize = true)', part);
  END LOOP;
END
$$;
--> statement-breakpoint

-- From here on starts wait, and endings with the next statement. The keys come first, as in every start: one that had
-- a key's row and waited for the history while this waits for the keys would be a deadlock.
LOCK TABLE keys IN ACCESS EXCLUSIVE MODE;
--> statement-breakpoint

CREATE INDEX "session_history_ended_at_index" ON "session_history" USING brin ("ended_at") WITH (autosummarize=true);
--> statement-breakpoint

ALTER TABLE "session_history" ADD COLUMN "note" text;
--> statement-breakpoint

-- As explain_sessions, with what the operator told the device.
CREATE FUNCTION explain_endings(asked text[])
RETURNS TABLE (session_id text, outcome text, ended_at timestamptz, replaced_by_device jsonb, note text)
LANGUAGE sql STABLE
SET enable_seqscan = off
SET jit = off
AS $$
  SELECT h.session_id, h.reason, h.ended_at, h.replaced_by_device, h.note
  FROM session_history h WHERE h.session_id = ANY (asked)
  UNION ALL
  SELECT s.session_id, 'locked', NULL, NULL, NULL
  FROM active_sessions s WHERE s.session_id = ANY (asked)
$$;
--> statement-breakpoint

-- Unchanged but for the notes in "others".
CREATE OR REPLACE FUNCTION beat_sessions(
  session_ids text,
  OUT beat_at timestamptz, OUT timeout_seconds integer, OUT beaten text, OUT others jsonb
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  asked text[] := string_to_array(session_ids, ',');
  locked tid[];
  cutoff timestamptz;
  beaten_count bigint;
  durable text := current_setting('synchronous_commit');
BEGIN
  -- A crash of the database may lose the last second of heartbeats, and of nothing else (G7). In the function's SET
  -- clause this would do nothing: the setting is read at commit.
  PERFORM set_config('synchronous_commit', 'off', true);
  -- Rows that somebody else holds are skipped: one stuck client must not stall everybody's heartbeat, and two
  -- batches that lock in different orders must not deadlock.
  locked := ARRAY(SELECT s.ctid FROM active_sessions s WHERE s.session_id = ANY (asked) FOR NO KEY UPDATE SKIP LOCKED);
  beat_at := clock_timestamp();
  SELECT session_timeout_seconds INTO timeout_seconds FROM service_state WHERE singleton;
  cutoff := session_cutoff(beat_at);
  WITH live AS (
    UPDATE active_sessions s SET last_heartbeat = beat_at
    WHERE s.ctid = ANY (locked) AND s.last_heartbeat > cutoff
    RETURNING s.session_id, s.generation
  )
  SELECT string_agg(live.session_id || ' ' || live.generation, ','), count(*) INTO beaten, beaten_count FROM live;
  IF beaten_count < cardinality(asked) THEN
    PERFORM record_expiry(s), set_config('synchronous_commit', durable, true)
    FROM active_sessions s WHERE s.ctid = ANY (locked) AND s.last_heartbeat <= cutoff;
    SELECT jsonb_agg(e) INTO others FROM explain_endings(ARRAY(
      SELECT unnest(asked) EXCEPT SELECT split_part(b, ' ', 1) FROM unnest(string_to_array(beaten, ',')) b)) e;
  END IF;
END
$$;
--> statement-breakpoint

-- As look_at_sessions, with what the operator told the device.
CREATE FUNCTION look_at_watched_sessions(session_ids text, with_live boolean)
RETURNS TABLE (session_id text, outcome text, moment timestamptz, replaced_by_device jsonb, generation bigint, note text)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  asked text[] := string_to_array(session_ids, ',');
  cutoff timestamptz := session_cutoff(clock_timestamp());
BEGIN
  PERFORM record_expiry(silent.session) FROM (
    SELECT s AS session FROM active_sessions s
    WHERE s.session_id = ANY (asked) AND s.last_heartbeat <= cutoff FOR UPDATE SKIP LOCKED) silent;
  RETURN QUERY
  SELECT e.session_id, e.outcome, e.ended_at, e.replaced_by_device, NULL::bigint, e.note
  FROM explain_endings(asked) e WHERE e.outcome <> 'locked'
  UNION ALL
  SELECT s.session_id, 'live', session_deadline(s.last_heartbeat), NULL, s.generation, NULL
  FROM active_sessions s WHERE with_live AND s.session_id = ANY (asked) AND s.last_heartbeat > cutoff;
END
$$;
--> statement-breakpoint

-- Ends whatever session a key has because an operator said so, or only the one of that generation: "revoked" if it is
-- live, else "expired", as it was. Returns whether a live one ended. A session that started since stays.
CREATE FUNCTION kick_session(of_key bigint, only_generation bigint, with_note text, OUT revoked boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  present active_sessions;
  at timestamptz;
BEGIN
  PERFORM set_config('lock_timeout', '2000', true);
  SELECT s.* INTO present FROM active_sessions s
  WHERE s.key_id = of_key AND s.generation = coalesce(only_generation, s.generation) FOR UPDATE;
  at := clock_timestamp();
  revoked := present.key_id IS NOT NULL AND present.last_heartbeat > session_cutoff(at);
  IF revoked THEN
    DELETE FROM active_sessions s WHERE s.key_id = of_key;
    PERFORM record_ending(present, 'revoked', at);
    UPDATE session_history h SET note = with_note
    WHERE with_note IS NOT NULL AND h.key_id = of_key AND h.generation = present.generation AND h.ended_at = at;
  ELSIF present.key_id IS NOT NULL THEN
    PERFORM record_expiry(present);
  END IF;
END
$$;
--> statement-breakpoint

-- Revokes a key and ends its live session, in one transaction and in the order of locks of start_session, so that
-- no start slips between. Revoking twice keeps the first moment. known: whether there is such a key.
CREATE FUNCTION revoke_key_saying(of_key bigint, with_note text, OUT known boolean, OUT session_revoked boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
  PERFORM set_config('lock_timeout', '2000', true);
  PERFORM FROM keys k WHERE k.id = of_key FOR NO KEY UPDATE;
  known := FOUND;
  UPDATE keys k SET revoked_at = clock_timestamp() WHERE k.id = of_key AND k.revoked_at IS NULL;
  session_revoked := kick_session(of_key, NULL, with_note);
END
$$;
--> statement-breakpoint

-- Takes a key away with all that is known of its devices: its history, and what the audit log says of it beyond who
-- did what and when. Of the session that it has now only a bare tombstone stays, so that its device is told.
CREATE FUNCTION erase_key(of_key bigint, OUT known boolean, OUT session_revoked boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  present_generation bigint;
BEGIN
  PERFORM set_config('lock_timeout', '2000', true);
  PERFORM FROM keys k WHERE k.id = of_key FOR UPDATE;
  known := FOUND;
  session_revoked := false;
  IF NOT known THEN
    RETURN;
  END IF;
  SELECT s.generation INTO present_generation FROM active_sessions s WHERE s.key_id = of_key;
  session_revoked := kick_session(of_key, NULL, NULL);
  DELETE FROM session_history h WHERE h.key_id = of_key AND h.generation IS DISTINCT FROM present_generation;
  UPDATE session_history h
  SET access_key = '…', device = NULL, replaced_by_device = NULL, note = NULL WHERE h.key_id = of_key;
  UPDATE audit_log a SET details = NULL WHERE a.key_id = of_key AND a.details IS NOT NULL;
  DELETE FROM keys k WHERE k.id = of_key;
END
$$;
--> statement-breakpoint

CREATE TRIGGER keep_key_words AFTER INSERT OR DELETE OR UPDATE OF label ON keys
FOR EACH ROW EXECUTE FUNCTION keep_key_words();
--> statement-breakpoint

-- Keys that the version before made since the table was filled; some ids may have been committed late.
INSERT INTO key_words (key_id, words)
SELECT id, label_words(label) FROM keys
WHERE label IS NOT NULL AND id > coalesce((SELECT max(key_id) FROM key_words) - 10000, 0)
ON CONFLICT DO NOTHING;
