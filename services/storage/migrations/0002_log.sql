-- The message log (docs/decisions/0026-storage-log-layout.md): one row a message, however many local accounts it belongs to.

-- Positions are microseconds since 1970 of the moment they are drawn, and rise over all sessions: where the clock stood still or went back they go
-- on from the last one. Who calls this holds the locks of the accounts concerned until its commit. The lock that orders the callers is let go at
-- once: it is taken in a subtransaction that is rolled back, so that no error, time-out or cancel can leave it behind; setval stays.
CREATE SEQUENCE message_log_position;
CREATE FUNCTION message_log_positions(n bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	base bigint;
BEGIN
	BEGIN
		PERFORM pg_advisory_xact_lock(1398031702, 0);
		SELECT setval('message_log_position',
		              greatest(last_value + 1, (date_part('epoch', clock_timestamp()) * 1000000)::bigint) + n - 1) - n + 1
			INTO base FROM message_log_position;
		RAISE SQLSTATE 'SL001';
	EXCEPTION WHEN SQLSTATE 'SL001' THEN
		RETURN base;
	END;
END $$;

-- One comparison and no table row for an account: the log looks up two accounts a message.
ALTER TABLE accounts ADD COLUMN jid text COLLATE "C" GENERATED ALWAYS AS (local || '@' || host) STORED;
CREATE UNIQUE INDEX accounts_jid ON accounts (jid) INCLUDE (id);

-- sender: has it in its archive as sent. recipient: it was for this account; archived: and is in its archive. own: a message to oneself, which is
-- one entry of one archive; sender is null then. *_bare: hashes of bare JIDs; marks: 8 bytes each for what it can be recognised by besides (append's
-- key, id attribute, origin id, full JIDs). meta is a packed StanzaMeta: SQL never looks inside. An empty stanza: delivered and in nobody's archive; the
-- row stays for a day to recognise a repeated append. No foreign keys (docs/decisions/0023): accounts_gone tells what is to be erased.
CREATE TABLE message_log (
	id         bigint NOT NULL,
	sender     bigint,
	recipient  bigint,
	from_bare  bigint NOT NULL,
	to_bare    bigint NOT NULL,
	archived   boolean NOT NULL,
	own        boolean NOT NULL,
	marks      bytea NOT NULL,
	meta       bytea NOT NULL,
	stanza     bytea NOT NULL
) PARTITION BY RANGE (id);
-- Each row is in at most one of the last two.
CREATE INDEX message_log_sent ON message_log (sender, id, to_bare) WHERE sender IS NOT NULL;
CREATE INDEX message_log_received ON message_log (recipient, id, from_bare) WHERE archived;
CREATE INDEX message_log_passing ON message_log (recipient, id) WHERE NOT archived AND recipient IS NOT NULL;
-- Stays empty while partitions are made in time.
CREATE TABLE message_log_default PARTITION OF message_log DEFAULT;

-- Makes the partition of a position, of 30 days. What the default partition had for it moves there. False: it was there.
CREATE FUNCTION message_log_partition(p bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	width constant bigint := 30 * 86400 * 1000000::bigint;
	low   bigint := p - p % width;
	part  text := 'message_log_' || to_char(to_timestamp((p - p % width) / 1000000) AT TIME ZONE 'UTC', 'YYYYMMDD');
BEGIN
	IF to_regclass(part) IS NOT NULL THEN
		RETURN false;
	END IF;
	EXECUTE format('CREATE TABLE %I (LIKE message_log INCLUDING STORAGE)', part);
	LOCK TABLE message_log_default IN ACCESS EXCLUSIVE MODE;
	EXECUTE format('WITH d AS (DELETE FROM message_log_default WHERE id >= %s AND id < %s RETURNING *) INSERT INTO %I SELECT * FROM d',
	               low, low + width, part);
	EXECUTE format('ALTER TABLE message_log ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', part, low, low + width);
	RETURN true;
END $$;
SELECT message_log_partition((extract(epoch FROM now()) * 1000000)::bigint + n * 30 * 86400 * 1000000::bigint) FROM generate_series(0, 1) n;

-- What has reached a client: all received messages up to delivered but the holes.
CREATE TABLE message_cursors (
	account_id bigint PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
	delivered  bigint NOT NULL,
	holes      bigint[] NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE archive_prefs (
	account_id bigint PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
	mode       integer NOT NULL,
	always     text[] NOT NULL,
	never      text[] NOT NULL
);

-- Asked only for an append that may be a repetition or must respect a limit. Above 0: the position of the former; -1: too many wait; 0: append.
-- key, origin: marks, null unless they are to be looked for here. earlier: how many of the same batch go to the recipient before this one. age: the first
-- try was no longer ago than so many times four seconds; 0: a day.
CREATE FUNCTION message_log_ask(a_sender bigint, a_recipient bigint, a_from bigint, a_to bigint, a_key bytea, a_origin bytea, a_max integer,
                                a_earlier integer, a_age integer) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
	a_day   constant bigint := 86400 * 1000000::bigint;
	instant bigint := (date_part('epoch', clock_timestamp()) * 1000000)::bigint;
	seen    bigint;
	waiting bigint;
BEGIN
	IF a_key IS NOT NULL THEN
		-- What the caller says of its first try does not count the time that this took to get here.
		seen := message_log_find(a_sender, a_recipient, a_from, a_to, a_key,
		                         instant - CASE WHEN a_age > 0 THEN least((a_age * 4 + 120) * 1000000::bigint, a_day) ELSE a_day END);
	END IF;
	IF seen IS NULL AND a_origin IS NOT NULL THEN
		seen := message_log_find(a_sender, a_recipient, a_from, a_to, a_origin, instant - a_day);
	END IF;
	IF seen IS NOT NULL THEN
		RETURN seen;
	END IF;
	IF a_max > 0 AND a_recipient IS NOT NULL THEN
		SELECT message_log_waiting(a_recipient, coalesce((SELECT c.delivered FROM message_cursors c WHERE c.account_id = a_recipient), 0),
		                           a_max - a_earlier) INTO waiting;
		IF waiting + a_earlier >= a_max THEN
			RETURN -1;
		END IF;
	END IF;
	RETURN 0;
END $$;

-- The position of a message with a mark, of one sender to one recipient, behind a position; null: none.
CREATE FUNCTION message_log_find(a_sender bigint, a_recipient bigint, a_from bigint, a_to bigint, mark bytea, since bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
	seen bigint;
BEGIN
	IF a_recipient IS NULL THEN
		SELECT m.id INTO seen FROM message_log m WHERE m.sender = a_sender AND m.id > since AND m.to_bare = a_to AND m.from_bare = a_from
			AND position(mark IN m.marks) > 0 LIMIT 1;
		RETURN seen;
	END IF;
	SELECT m.id INTO seen FROM message_log m WHERE m.recipient = a_recipient AND m.archived AND m.id > since AND m.from_bare = a_from
		AND m.to_bare = a_to AND position(mark IN m.marks) > 0 LIMIT 1;
	IF seen IS NULL THEN
		SELECT m.id INTO seen FROM message_log m WHERE m.recipient = a_recipient AND NOT m.archived AND m.id > since AND m.from_bare = a_from
			AND m.to_bare = a_to AND position(mark IN m.marks) > 0 LIMIT 1;
	END IF;
	RETURN seen;
END $$;

-- Received messages behind a position, counted up to most.
CREATE FUNCTION message_log_waiting(a_recipient bigint, a_delivered bigint, most integer) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
	kept    bigint;
	passing bigint;
BEGIN
	IF most <= 0 THEN
		RETURN 0;
	END IF;
	SELECT count(*) INTO kept FROM (SELECT FROM message_log m WHERE m.recipient = a_recipient AND m.archived AND m.id > a_delivered
		ORDER BY m.id LIMIT most) k;
	SELECT count(*) INTO passing FROM (SELECT FROM message_log m WHERE m.recipient = a_recipient AND NOT m.archived AND m.id > a_delivered
		ORDER BY m.id LIMIT most - kept) p;
	RETURN kept + passing;
END $$;

-- The highest position among an account's messages, null without any. Most have some of the last two months: then older partitions are not opened.
CREATE FUNCTION message_log_last(a_account bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
	since bigint := (date_part('epoch', clock_timestamp()) * 1000000)::bigint - 60 * 86400 * 1000000::bigint;
	last  bigint;
BEGIN
	LOOP
		SELECT greatest(
			(SELECT m.id FROM message_log m WHERE m.sender = a_account AND m.id > since ORDER BY m.id DESC LIMIT 1),
			(SELECT m.id FROM message_log m WHERE m.recipient = a_account AND m.archived AND m.id > since ORDER BY m.id DESC LIMIT 1),
			(SELECT m.id FROM message_log m WHERE m.recipient = a_account AND NOT m.archived AND m.id > since ORDER BY m.id DESC LIMIT 1))
			INTO last;
		EXIT WHEN last IS NOT NULL OR since = 0;
		since := 0;
	END LOOP;
	RETURN last;
END $$;

-- Moves an account's cursor. What is delivered and in nobody's archive loses its content; its name stays for a day (message_log_sweep).
CREATE FUNCTION message_log_delivered(a_account bigint, a_delivered bigint, a_holes bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	former_delivered bigint;
	former_holes     bigint[];
BEGIN
	SELECT c.delivered, c.holes INTO former_delivered, former_holes FROM message_cursors c WHERE c.account_id = a_account;
	INSERT INTO message_cursors (account_id, delivered, holes) VALUES (a_account, a_delivered, a_holes)
		ON CONFLICT (account_id) DO UPDATE SET delivered = excluded.delivered, holes = excluded.holes;
	UPDATE message_log m SET meta = '', stanza = '' WHERE m.recipient = a_account AND NOT m.archived AND m.id > coalesce(former_delivered, 0)
		AND m.id <= a_delivered AND m.sender IS NULL AND m.id <> ALL (a_holes);
	IF cardinality(former_holes) > 0 THEN
		UPDATE message_log m SET meta = '', stanza = '' WHERE m.recipient = a_account AND NOT m.archived AND m.id = ANY (former_holes)
			AND m.id <= a_delivered AND m.sender IS NULL AND m.id <> ALL (a_holes);
	END IF;
END $$;

-- Takes the oldest entries below a position out of an account's archive, at most so many, and says how many. What waits for delivery stays, unless
-- the account is gone. A row that belongs to nobody any more goes.
CREATE FUNCTION message_log_erase(a_account bigint, a_below bigint, a_most bigint, a_gone boolean) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	done  bigint := 0;
	n     bigint;
	cut   bigint;
	high  bigint;
	holes bigint[];
BEGIN
	SELECT max(q.id) INTO cut FROM (SELECT m.id FROM message_log m WHERE m.sender = a_account AND m.id < a_below ORDER BY m.id LIMIT a_most) q;
	IF cut IS NOT NULL THEN
		DELETE FROM message_log m WHERE m.sender = a_account AND m.id <= cut AND m.recipient IS NULL;
		GET DIAGNOSTICS done = ROW_COUNT;
		UPDATE message_log m SET meta = '', stanza = '' FROM message_cursors c WHERE m.sender = a_account AND m.id <= cut AND NOT m.archived
			AND c.account_id = m.recipient AND m.id <= c.delivered AND m.id <> ALL (c.holes);
		UPDATE message_log m SET sender = NULL WHERE m.sender = a_account AND m.id <= cut;
		GET DIAGNOSTICS n = ROW_COUNT;
		done := done + n;
	END IF;
	SELECT c.delivered, c.holes INTO high, holes FROM message_cursors c WHERE c.account_id = a_account;
	high := CASE WHEN a_gone THEN a_below ELSE least(a_below - 1, coalesce(high, 0)) END;
	holes := CASE WHEN a_gone THEN '{}'::bigint[] ELSE coalesce(holes, '{}'::bigint[]) END;
	SELECT max(q.id) INTO cut FROM (SELECT m.id FROM message_log m WHERE m.recipient = a_account AND m.archived AND m.id <= high
		AND m.id <> ALL (holes) ORDER BY m.id LIMIT a_most - done) q;
	IF cut IS NOT NULL THEN
		DELETE FROM message_log m WHERE m.recipient = a_account AND m.archived AND m.id <= cut AND m.sender IS NULL AND m.id <> ALL (holes);
		GET DIAGNOSTICS n = ROW_COUNT;
		done := done + n;
		UPDATE message_log m SET recipient = NULL, archived = false WHERE m.recipient = a_account AND m.archived AND m.id <= cut
			AND m.id <> ALL (holes);
		GET DIAGNOSTICS n = ROW_COUNT;
		done := done + n;
	END IF;
	IF a_gone AND done < a_most THEN
		done := done + message_log_sweep(a_account, a_below, '{}', a_most - done);
	END IF;
	RETURN done;
END $$;

-- The same for received messages that are in no archive of the account, up to a position and without the holes.
CREATE FUNCTION message_log_sweep(a_account bigint, a_high bigint, a_holes bigint[], a_most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	done bigint := 0;
	n    bigint;
	cut  bigint;
BEGIN
	SELECT max(q.id) INTO cut FROM (SELECT m.id FROM message_log m WHERE m.recipient = a_account AND NOT m.archived AND m.id <= a_high
		AND m.id <> ALL (a_holes) ORDER BY m.id LIMIT a_most) q;
	IF cut IS NOT NULL THEN
		DELETE FROM message_log m WHERE m.recipient = a_account AND NOT m.archived AND m.id <= cut AND m.sender IS NULL
			AND m.id <> ALL (a_holes);
		GET DIAGNOSTICS done = ROW_COUNT;
		UPDATE message_log m SET recipient = NULL WHERE m.recipient = a_account AND NOT m.archived AND m.id <= cut AND m.id <> ALL (a_holes);
		GET DIAGNOSTICS n = ROW_COUNT;
		done := done + n;
	END IF;
	RETURN done;
END $$;

-- The same for all accounts of a host, one after the other.
CREATE FUNCTION message_log_erase_host(a_host text, a_below bigint, a_most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	done    bigint := 0;
	account bigint;
BEGIN
	FOR account IN SELECT a.id FROM accounts a WHERE a.host = a_host COLLATE "C" ORDER BY a.local LOOP
		done := done + message_log_erase(account, a_below, a_most - done, false);
		EXIT WHEN done >= a_most;
	END LOOP;
	RETURN done;
END $$;

-- --- what storage does by a timer (docs/decisions/0028-storage-log-upkeep.md): one instance at a time, the others are answered -1 ---

-- An archive may have millions of rows: deleting the account only notes what is to be erased. Account numbers are never used again.
CREATE TABLE accounts_gone (account_id bigint PRIMARY KEY);
CREATE FUNCTION message_log_follow_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO accounts_gone (account_id) VALUES (OLD.id);
	RETURN NULL;
END $$;
CREATE TRIGGER message_log_follow_account AFTER DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION message_log_follow_account();

-- Erases some of what deleted accounts have left. How many rows; 0: nothing is left.
CREATE FUNCTION message_log_bury(most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	account bigint;
	done    bigint;
BEGIN
	IF NOT pg_try_advisory_xact_lock(1398031703, 0) THEN
		RETURN -1;
	END IF;
	FOR account IN SELECT g.account_id FROM accounts_gone g ORDER BY g.account_id LIMIT 100 LOOP
		done := message_log_erase(account, 9223372036854775807, most, true);
		IF done > 0 THEN
			RETURN done;
		END IF;
		DELETE FROM accounts_gone g WHERE g.account_id = account;
	END LOOP;
	RETURN 0;
END $$;

-- The next accounts behind `after`: what they may keep by age (microseconds) and number, 0: no limit, by host or else by the defaults; and names of
-- what was delivered more than a day ago. Stops when it has taken `most` rows. next: where to go on, null at the end.
CREATE FUNCTION message_log_keep(after bigint, hosts text[], ages bigint[], counts bigint[], default_age bigint, default_count bigint,
                                 most bigint, OUT next bigint, OUT done bigint) LANGUAGE plpgsql AS $$
DECLARE
	now_us bigint := (date_part('epoch', clock_timestamp()) * 1000000)::bigint;
	i      integer;
	seen   integer := 0;
	age    bigint;
	number bigint;
	cut    bigint;
	here   bigint;
	a      record;
BEGIN
	IF NOT pg_try_advisory_xact_lock(1398031703, 0) THEN
		done := -1;
		RETURN;
	END IF;
	done := 0;
	FOR a IN SELECT c.id, c.host, k.delivered, k.holes FROM accounts c LEFT JOIN message_cursors k ON k.account_id = c.id
		WHERE c.id > after ORDER BY c.id LIMIT 100 LOOP
		seen := seen + 1;
		i := array_position(hosts, a.host);
		age := CASE WHEN i IS NULL THEN default_age ELSE ages[i] END;
		number := CASE WHEN i IS NULL THEN default_count ELSE counts[i] END;
		here := 0;
		IF a.delivered IS NOT NULL THEN
			here := message_log_sweep(a.id, least(a.delivered, now_us - 86400 * 1000000::bigint), a.holes, most - done);
		END IF;
		IF age > 0 AND done + here < most THEN
			here := here + message_log_erase(a.id, now_us - age, most - done - here, false);
		END IF;
		IF number > 0 AND done + here < most THEN
			SELECT q.id INTO cut FROM (
				(SELECT m.id FROM message_log m WHERE m.sender = a.id ORDER BY m.id DESC LIMIT number + 1) UNION ALL
				(SELECT m.id FROM message_log m WHERE m.recipient = a.id AND m.archived ORDER BY m.id DESC LIMIT number + 1)) q
				ORDER BY q.id DESC OFFSET number LIMIT 1;
			IF cut IS NOT NULL THEN
				here := here + message_log_erase(a.id, cut + 1, most - done - here, false);
			END IF;
		END IF;
		done := done + here;
		-- Not through with this one: once more.
		next := CASE WHEN done >= most THEN a.id - 1 ELSE a.id END;
		EXIT WHEN done >= most;
	END LOOP;
	IF seen < 100 AND done < most THEN
		next := NULL;
	END IF;
END $$;

-- Makes the partitions of this month and the next two; when they are there, drops those whose time is over and that are empty. How many of both. Never
-- both in one transaction: dropping locks the whole table, making locks the default partition first, and a reader would wait for both in a circle.
CREATE FUNCTION message_log_turn() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	width constant bigint := 30 * 86400 * 1000000::bigint;
	now_us bigint := (date_part('epoch', clock_timestamp()) * 1000000)::bigint;
	done   bigint := 0;
	used   boolean;
	part   record;
BEGIN
	IF NOT pg_try_advisory_xact_lock(1398031703, 0) THEN
		RETURN -1;
	END IF;
	PERFORM set_config('lock_timeout', '500ms', true);
	FOR n IN 0..2 LOOP
		done := done + message_log_partition(now_us + n * width)::integer;
	END LOOP;
	IF done > 0 THEN
		RETURN done;
	END IF;
	FOR part IN SELECT c.oid::regclass AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'message_log'::regclass AND c.relname ~ '^message_log_[0-9]{8}$'
		AND to_timestamp(substr(c.relname, 13), 'YYYYMMDD') < to_timestamp((now_us - 2 * width) / 1000000) LOOP
		EXECUTE format('SELECT EXISTS (SELECT FROM %s)', part.name) INTO used;
		IF NOT used THEN
			EXECUTE format('DROP TABLE %s', part.name);
			RETURN 1;
		END IF;
	END LOOP;
	RETURN done;
END $$;
