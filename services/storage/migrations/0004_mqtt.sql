-- MQTT (docs/decisions/0036-storage-mqtt.md): persistent sessions and what waits for them, retained messages. Times are microseconds since 1970 UTC; 0: none.
-- Messages are packed MqttMessages with their payload: SQL never looks inside.

-- The number of a session is one of a sequence, and in its low ten bits its slot (the hash of bus.proto over the whole name), so that whoever has the number
-- knows the lock. Whoever writes under an epoch holds the slot's advisory lock (class 1398031705), shared, until the commit; whoever changes an owner, or decides by
-- what is not there, holds it alone. instance: the owner, as a signed number; 0: nobody.
-- Names and topics may have 65800 bytes, more than an index takes; order of beginnings and then of the whole = order of names.
CREATE SEQUENCE mqtt_session_numbers;
CREATE TABLE mqtt_session (
	session         bigint PRIMARY KEY,
	epoch           bigint NOT NULL,
	instance        bigint NOT NULL,
	expiry_s        bigint NOT NULL,
	disconnected_us bigint NOT NULL,
	will_delay_s    bigint NOT NULL,
	will_due_us     bigint NOT NULL,
	version         integer NOT NULL,
	name            text COLLATE "C" NOT NULL,
	account         text COLLATE "C" NOT NULL,
	will            bytea
) WITH (fillfactor = 70);
CREATE INDEX mqtt_session_name ON mqtt_session (left(name, 512));
CREATE INDEX mqtt_session_account ON mqtt_session (account) WHERE account <> '';

-- filter_hash: a filter may be longer than an index takes. bits: options, and above them the identifier.
CREATE TABLE mqtt_subscription (
	session     bigint NOT NULL,
	filter_hash bigint NOT NULL,
	bits        bigint NOT NULL,
	filter      text COLLATE "C" NOT NULL,
	PRIMARY KEY (session, filter_hash)
);

-- What a session has not acknowledged. bits: 1 and 2 QoS, 4 retain, 8 received (PUBREC); then the message is null and only the key is left.
-- A key is looked for in a queue that may be long: of QoS 2 by an index, which costs nothing for QoS 1; of QoS 1 among the newest rows.
CREATE TABLE mqtt_queue (
	session     bigint NOT NULL,
	seq         bigint NOT NULL,
	key_origin  bigint NOT NULL,
	key_number  bigint NOT NULL,
	bits        integer NOT NULL,
	identifiers bigint[],
	message     bytea,
	PRIMARY KEY (session, seq)
);
CREATE INDEX mqtt_queue_key ON mqtt_queue (session, key_origin, key_number) WHERE bits & 3 = 2 AND key_origin <> 0;

-- Keys of QoS 2 messages that are complete; for ten minutes.
CREATE TABLE mqtt_name (
	session    bigint NOT NULL,
	key_origin bigint NOT NULL,
	key_number bigint NOT NULL,
	at_us      bigint NOT NULL
);
CREATE INDEX mqtt_name_key ON mqtt_name (session, key_origin, key_number);
CREATE INDEX mqtt_name_at ON mqtt_name (at_us);

-- Incoming QoS 2 that is not released. number: with the session the key under which the message is routed, again and again.
CREATE SEQUENCE mqtt_received_numbers;
CREATE TABLE mqtt_received (
	session bigint NOT NULL,
	packet  integer NOT NULL,
	number  bigint NOT NULL,
	PRIMARY KEY (session, packet)
);

-- A session ends by losing its row; the rest is out of reach at once and goes later, since a queue may be long. Numbers are never used again.
CREATE TABLE mqtt_gone (
	session bigint PRIMARY KEY,
	at_us   bigint NOT NULL
);
CREATE FUNCTION mqtt_now() RETURNS bigint LANGUAGE sql AS $$ SELECT (date_part('epoch', clock_timestamp()) * 1000000)::bigint $$;
CREATE FUNCTION mqtt_follow_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO mqtt_gone (session, at_us) VALUES (OLD.session, mqtt_now());
	RETURN NULL;
END $$;
CREATE TRIGGER mqtt_follow_session AFTER DELETE ON mqtt_session FOR EACH ROW EXECUTE FUNCTION mqtt_follow_session();
CREATE FUNCTION mqtt_follow_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM mqtt_session m WHERE m.account = OLD.jid AND m.account <> '';
	RETURN NULL;
END $$;
CREATE TRIGGER mqtt_follow_account AFTER DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION mqtt_follow_account();

-- What hangs on a session. Rows are counted up to 100000.
CREATE FUNCTION mqtt_session_rest(a_session bigint, OUT o_next bigint, OUT o_queued bigint, OUT o_filters text[], OUT o_bits bigint[],
                                  OUT o_received bigint[]) LANGUAGE plpgsql STABLE AS $$
BEGIN
	o_next := coalesce((SELECT q.seq FROM mqtt_queue q WHERE q.session = a_session ORDER BY q.seq DESC LIMIT 1), 0) + 1;
	o_queued := (SELECT count(*) FROM (SELECT FROM mqtt_queue q WHERE q.session = a_session LIMIT 100000) c);
	o_filters := ARRAY(SELECT s.filter FROM mqtt_subscription s WHERE s.session = a_session ORDER BY s.filter_hash);
	o_bits := ARRAY(SELECT s.bits FROM mqtt_subscription s WHERE s.session = a_session ORDER BY s.filter_hash);
	o_received := ARRAY(SELECT r.packet::bigint FROM mqtt_received r WHERE r.session = a_session ORDER BY r.packet);
END $$;

-- Codes are those of ipc/proto/envelope.proto: 9 EXISTS, 10 DENIED. The former will and times go back to the caller, also of a session that ends by this; but not to
-- who had it already: if that is a repetition, they are of the first try, and nobody's last will.
CREATE FUNCTION mqtt_open(a_name text, a_slot integer, a_account text, a_version integer, a_expiry_s bigint, a_will bytea, a_delay_s bigint,
                          a_clean boolean, a_instance bigint, a_alive bigint[], OUT o_code integer, OUT o_present boolean, OUT o_session bigint,
                          OUT o_epoch bigint, OUT o_disconnected bigint, OUT o_will bytea, OUT o_delay bigint, OUT o_due bigint, OUT o_next bigint,
                          OUT o_queued bigint, OUT o_filters text[], OUT o_bits bigint[], OUT o_received bigint[], OUT o_expiry bigint,
                          OUT o_version integer) LANGUAGE plpgsql AS $$
DECLARE
	s     mqtt_session;
	ended boolean;
BEGIN
	o_code := 0;
	o_present := false;
	SELECT m.* INTO s FROM mqtt_session m WHERE left(m.name, 512) = left(a_name, 512) AND m.name = a_name;
	IF FOUND THEN
		ended := s.disconnected_us > 0 AND s.expiry_s < 4294967295 AND s.disconnected_us + s.expiry_s * 1000000 <= mqtt_now();
		IF s.account <> a_account AND NOT ended THEN
			o_code := 10;
			RETURN;
		END IF;
		IF s.instance <> 0 AND s.instance <> a_instance AND s.instance = ANY (a_alive) THEN
			o_code := 9;
			RETURN;
		END IF;
		o_present := NOT a_clean AND NOT ended;
		IF s.instance <> a_instance THEN
			o_disconnected := s.disconnected_us;
			o_will := s.will;
			o_delay := s.will_delay_s;
			o_due := s.will_due_us;
		END IF;
		IF NOT o_present THEN
			DELETE FROM mqtt_session m WHERE m.session = s.session;
		END IF;
	END IF;
	IF o_present THEN
		o_session := s.session;
		o_epoch := s.epoch + 1;
		UPDATE mqtt_session m SET epoch = o_epoch, instance = a_instance, expiry_s = a_expiry_s, disconnected_us = 0, will_delay_s = a_delay_s,
			will_due_us = 0, version = a_version, will = a_will WHERE m.session = s.session;
	ELSE
		o_session := nextval('mqtt_session_numbers') << 10 | a_slot;
		o_epoch := 1;
		INSERT INTO mqtt_session (session, epoch, instance, expiry_s, disconnected_us, will_delay_s, will_due_us, version, name, account, will)
			VALUES (o_session, o_epoch, a_instance, a_expiry_s, 0, a_delay_s, 0, a_version, a_name, a_account, a_will);
	END IF;
	o_expiry := a_expiry_s;
	o_version := a_version;
	SELECT r.* INTO o_next, o_queued, o_filters, o_bits, o_received FROM mqtt_session_rest(o_session) r;
END $$;

-- Sessions of some slots that nobody alive owns, by name; they are the caller's then. What it owned already keeps its epoch. A last row of session 0: there are more.
-- They are looked for first, which may take a while among many, and then their slots' locks are taken, alone and ascending: each is looked at again under its lock.
-- Without sorting, the names come from the index, and a page costs what it has.
CREATE FUNCTION mqtt_adopt(a_slots integer[], a_instance bigint, a_alive bigint[], a_after text, a_limit integer, a_bytes bigint)
	RETURNS TABLE (o_session bigint, o_epoch bigint, o_expiry bigint, o_disconnected bigint, o_delay bigint, o_due bigint, o_version integer,
	               o_name text, o_account text, o_will bytea, o_next bigint, o_queued bigint, o_filters text[], o_bits bigint[], o_received bigint[])
	LANGUAGE plpgsql SET enable_sort = off AS $$
DECLARE
	wanted  boolean[] := array_fill(false, ARRAY[1024]);
	those   bigint[];
	more    boolean;
	slot    integer;
	number  bigint;
	s       mqtt_session;
	n       integer := 0;
	bytes   bigint := 0;
	counted bigint := 0;
BEGIN
	FOREACH slot IN ARRAY a_slots LOOP
		wanted[slot + 1] := true;
	END LOOP;
	those := ARRAY(SELECT m.session FROM mqtt_session m WHERE left(m.name, 512) >= left(a_after, 512) AND m.name > a_after
		AND m.instance <> ALL (a_alive) AND wanted[(m.session & 1023)::integer + 1] ORDER BY left(m.name, 512), m.name LIMIT a_limit + 1);
	FOR slot IN SELECT DISTINCT (u & 1023)::integer AS low FROM unnest(those) u ORDER BY low LOOP
		PERFORM pg_advisory_xact_lock(1398031705, slot);
	END LOOP;
	more := cardinality(those) > a_limit;
	FOREACH number IN ARRAY those LOOP
		more := more OR bytes >= a_bytes OR counted >= 200000;
		EXIT WHEN n >= a_limit OR bytes >= a_bytes OR counted >= 200000;
		SELECT m.* INTO s FROM mqtt_session m WHERE m.session = number AND m.instance <> ALL (a_alive);
		CONTINUE WHEN NOT FOUND;
		o_session := s.session;
		o_epoch := s.epoch;
		IF s.instance <> a_instance THEN
			o_epoch := o_epoch + 1;
			UPDATE mqtt_session m SET epoch = o_epoch, instance = a_instance WHERE m.session = s.session;
		END IF;
		o_expiry := s.expiry_s;
		o_disconnected := s.disconnected_us;
		o_delay := s.will_delay_s;
		o_due := s.will_due_us;
		o_version := s.version;
		o_name := s.name;
		o_account := s.account;
		o_will := s.will;
		SELECT r.* INTO o_next, o_queued, o_filters, o_bits, o_received FROM mqtt_session_rest(s.session) r;
		n := n + 1;
		counted := counted + o_queued;
		bytes := bytes + octet_length(s.name) + coalesce(octet_length(s.will), 0) + octet_length(array_to_string(o_filters, ' '))
			+ 16 * cardinality(o_filters) + 4 * cardinality(o_received);
		RETURN NEXT;
	END LOOP;
	IF more THEN
		o_session := 0;
		RETURN NEXT;
	END IF;
END $$;

-- 11 (LIMIT): the session would have more subscriptions, or more bytes of them, than it may.
CREATE FUNCTION mqtt_subscribe(a_session bigint, a_hashes bigint[], a_filters text[], a_bits bigint[], a_remove bigint[], a_most bigint, a_bytes bigint)
	RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	changed bigint[] := a_remove || a_hashes;
	added   bigint := octet_length(array_to_string(a_filters, ''));
	n       bigint;
	bytes   bigint;
BEGIN
	SELECT count(*), coalesce(sum(octet_length(s.filter)), 0) INTO n, bytes FROM mqtt_subscription s WHERE s.session = a_session;
	IF n + cardinality(a_hashes) > a_most OR bytes + added > a_bytes THEN
		SELECT count(*), coalesce(sum(octet_length(s.filter)), 0) INTO n, bytes FROM mqtt_subscription s WHERE s.session = a_session
			AND s.filter_hash <> ALL (changed);
		IF n + cardinality(a_hashes) > a_most OR bytes + added > a_bytes THEN
			RETURN 11;
		END IF;
	END IF;
	DELETE FROM mqtt_subscription s WHERE s.session = a_session AND s.filter_hash = ANY (changed);
	INSERT INTO mqtt_subscription (session, filter_hash, bits, filter)
		SELECT DISTINCT ON (u.hash) a_session, u.hash, u.bits, u.filter FROM unnest(a_hashes, a_bits, a_filters) WITH ORDINALITY u (hash, bits, filter, ord)
		ORDER BY u.hash, u.ord DESC;
	RETURN 0;
END $$;

-- Whether a session has, or had within ten minutes, a message of this key.
CREATE FUNCTION mqtt_has(a_session bigint, a_twice boolean, a_origin bigint, a_number bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF a_twice THEN
		RETURN EXISTS (SELECT FROM mqtt_queue q WHERE q.session = a_session AND q.key_origin = a_origin AND q.key_number = a_number
				AND q.bits & 3 = 2 AND q.key_origin <> 0)
			OR EXISTS (SELECT FROM mqtt_name n WHERE n.session = a_session AND n.key_origin = a_origin AND n.key_number = a_number);
	END IF;
	RETURN EXISTS (SELECT FROM (SELECT q.key_origin, q.key_number FROM mqtt_queue q WHERE q.session = a_session ORDER BY q.seq DESC LIMIT 4000) n
		WHERE n.key_origin = a_origin AND n.key_number = a_number);
END $$;

-- Retained messages. Every write for a topic holds the lock of its stripe (class 1398031706), and draws the version under it: versions of one topic rise in the
-- order of commit.
CREATE SEQUENCE mqtt_retained_versions;
CREATE TABLE mqtt_retained (
	version    bigint NOT NULL,
	expires_us bigint NOT NULL,
	stripe     integer NOT NULL,
	size       integer NOT NULL,
	topic      text COLLATE "C" NOT NULL,
	message    bytea NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX mqtt_retained_topic ON mqtt_retained (left(topic, 512));
CREATE INDEX mqtt_retained_expires ON mqtt_retained (expires_us) WHERE expires_us > 0;

-- What they come to. Of several stripes, so that writes of different topics seldom wait for each other.
CREATE TABLE mqtt_retained_total (
	stripe integer PRIMARY KEY,
	count  bigint NOT NULL,
	bytes  bigint NOT NULL
) WITH (fillfactor = 20);
INSERT INTO mqtt_retained_total (stripe, count, bytes) SELECT n, 0, 0 FROM generate_series(0, 63) n;

-- message null: the topic has none any more. Limits 0: none. 11 (LIMIT): the former message stays.
CREATE FUNCTION mqtt_retain(a_topic text, a_stripe integer, a_message bytea, a_expires bigint, a_most bigint, a_bytes bigint, OUT o_code integer,
                            OUT o_version bigint) LANGUAGE plpgsql AS $$
DECLARE
	place tid;
	was   integer;
	whole integer := octet_length(a_topic) + octet_length(a_message);
	more  integer;
	grown bigint;
	n     bigint;
	bytes bigint;
BEGIN
	o_code := 0;
	SELECT r.ctid, r.size INTO place, was FROM mqtt_retained r WHERE left(r.topic, 512) = left(a_topic, 512) AND r.topic = a_topic;
	more := (a_message IS NOT NULL)::integer - (place IS NOT NULL)::integer;
	grown := coalesce(whole, 0) - coalesce(was, 0);
	IF more > 0 AND a_most > 0 OR grown > 0 AND a_bytes > 0 THEN
		SELECT sum(t.count), sum(t.bytes) INTO n, bytes FROM mqtt_retained_total t WHERE t.stripe >= 0;
		IF more > 0 AND a_most > 0 AND n + more > a_most OR grown > 0 AND a_bytes > 0 AND bytes + grown > a_bytes THEN
			o_code := 11;
			RETURN;
		END IF;
	END IF;
	o_version := nextval('mqtt_retained_versions');
	IF a_message IS NULL THEN
		DELETE FROM mqtt_retained r WHERE r.ctid = place;
	ELSIF place IS NULL THEN
		INSERT INTO mqtt_retained (version, expires_us, stripe, size, topic, message) VALUES (o_version, a_expires, a_stripe, whole, a_topic, a_message);
	ELSE
		UPDATE mqtt_retained r SET version = o_version, expires_us = a_expires, size = whole, message = a_message WHERE r.ctid = place;
	END IF;
	IF more <> 0 OR grown <> 0 THEN
		UPDATE mqtt_retained_total t SET count = t.count + more, bytes = t.bytes + grown WHERE t.stripe = a_stripe;
	END IF;
END $$;

-- By topic; a last row of version 0: there are more. Without sorting, as in mqtt_adopt.
CREATE FUNCTION mqtt_retained_page(a_after text, a_limit integer, a_bytes bigint) RETURNS TABLE (o_version bigint, o_message bytea)
	LANGUAGE plpgsql STABLE SET enable_sort = off AS $$
DECLARE
	now_us bigint := mqtt_now();
	n      integer := 0;
	bytes  bigint := 0;
	r      record;
BEGIN
	FOR r IN SELECT m.version, m.size, m.message FROM mqtt_retained m WHERE left(m.topic, 512) >= left(a_after, 512) AND m.topic > a_after
		AND (m.expires_us = 0 OR m.expires_us > now_us) ORDER BY left(m.topic, 512), m.topic LIMIT a_limit + 1 LOOP
		IF n >= a_limit OR bytes >= a_bytes THEN
			o_version := 0;
			o_message := NULL;
			RETURN NEXT;
			RETURN;
		END IF;
		n := n + 1;
		bytes := bytes + r.size;
		o_version := r.version;
		o_message := r.message;
		RETURN NEXT;
	END LOOP;
END $$;

-- --- what storage does by a timer: at most so many rows at a time; how many it were ---

CREATE FUNCTION mqtt_forget_names(a_most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	cut  bigint := mqtt_now() - 600 * 1000000;
	done bigint;
BEGIN
	IF NOT pg_try_advisory_xact_lock(1398031703, 1) THEN
		RETURN -1;
	END IF;
	DELETE FROM mqtt_name n WHERE n.ctid = ANY (ARRAY(SELECT o.ctid FROM mqtt_name o WHERE o.at_us < cut ORDER BY o.at_us LIMIT a_most));
	GET DIAGNOSTICS done = ROW_COUNT;
	RETURN done;
END $$;

-- What ended sessions have left. Not in the first minute: a write that began before the end may still be committed.
CREATE FUNCTION mqtt_bury(a_most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	cut  bigint := mqtt_now() - 60 * 1000000;
	gone bigint;
	done bigint := 0;
	n    bigint;
BEGIN
	IF NOT pg_try_advisory_xact_lock(1398031703, 1) THEN
		RETURN -1;
	END IF;
	FOR gone IN SELECT g.session FROM mqtt_gone g WHERE g.session > 0 AND g.at_us < cut ORDER BY g.session LIMIT a_most LOOP
		DELETE FROM mqtt_queue q WHERE q.ctid = ANY (ARRAY(SELECT o.ctid FROM mqtt_queue o WHERE o.session = gone LIMIT a_most - done));
		GET DIAGNOSTICS n = ROW_COUNT;
		done := done + n;
		EXIT WHEN done >= a_most;
		DELETE FROM mqtt_name m WHERE m.ctid = ANY (ARRAY(SELECT o.ctid FROM mqtt_name o WHERE o.session = gone LIMIT a_most - done));
		GET DIAGNOSTICS n = ROW_COUNT;
		done := done + n;
		EXIT WHEN done >= a_most;
		DELETE FROM mqtt_subscription s WHERE s.session = gone;
		DELETE FROM mqtt_received r WHERE r.session = gone;
		DELETE FROM mqtt_gone g WHERE g.session = gone;
		done := done + 1;
		EXIT WHEN done >= a_most;
	END LOOP;
	RETURN done;
END $$;

-- Retained messages that have expired, of one stripe.
CREATE FUNCTION mqtt_expire_retained(a_most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	now_us   bigint := mqtt_now();
	which    integer;
	done     bigint;
	gone     bigint;
BEGIN
	IF NOT pg_try_advisory_xact_lock(1398031703, 1) THEN
		RETURN -1;
	END IF;
	SELECT r.stripe INTO which FROM mqtt_retained r WHERE r.expires_us > 0 AND r.expires_us <= now_us ORDER BY r.expires_us LIMIT 1;
	IF which IS NULL THEN
		RETURN 0;
	END IF;
	PERFORM pg_advisory_xact_lock(1398031706, which);
	WITH d AS (DELETE FROM mqtt_retained r WHERE r.ctid = ANY (ARRAY(SELECT o.ctid FROM mqtt_retained o WHERE o.expires_us > 0 AND o.expires_us <= now_us
		AND o.stripe = which ORDER BY o.expires_us LIMIT a_most)) RETURNING r.size)
		SELECT count(*), coalesce(sum(d.size), 0) INTO done, gone FROM d;
	UPDATE mqtt_retained_total t SET count = t.count - done, bytes = t.bytes - gone WHERE t.stripe = which;
	RETURN done;
END $$;
