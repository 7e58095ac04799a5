-- Accounts and what is kept under them. Removing an account removes everything below it.
-- Names are compared as bytes (COLLATE "C"): they are normalised before they get here.

CREATE TABLE accounts (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	host       text COLLATE "C" NOT NULL,
	local      text COLLATE "C" NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	UNIQUE (host, local)
);

-- Keys of RFC 5802, one row a hash; no password.
CREATE TABLE credentials (
	account_id bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
	hash       text COLLATE "C" NOT NULL,
	salt       bytea NOT NULL,
	iterations integer NOT NULL,
	stored_key bytea NOT NULL,
	server_key bytea NOT NULL,
	PRIMARY KEY (account_id, hash)
);

-- version rises by one with every change and starts at the time in milliseconds, so that an account created again never
-- repeats a version that a client may still hold. Removals older than floor, or than the last 1000 versions, are forgotten.
CREATE TABLE rosters (
	account_id bigint PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
	version    bigint NOT NULL,
	floor      bigint NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE roster_items (
	account_id     bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
	jid            text COLLATE "C" NOT NULL,
	name           text NOT NULL,
	groups         text[] NOT NULL,
	subscription   integer NOT NULL,
	ask            boolean NOT NULL,
	pending_in     boolean NOT NULL,
	pending_stanza bytea NOT NULL,
	approved       boolean NOT NULL,
	hidden         boolean NOT NULL,
	version        bigint NOT NULL,
	PRIMARY KEY (account_id, jid)
);

CREATE TABLE roster_removed (
	account_id bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
	jid        text COLLATE "C" NOT NULL,
	version    bigint NOT NULL,
	PRIMARY KEY (account_id, jid)
);
CREATE INDEX roster_removed_version ON roster_removed (account_id, version);

-- Messages for later. Ids rise in the order of storing per account (the account's lock is held while they are drawn); they have
-- gaps. meta is a packed StanzaMeta (ipc/proto/types.proto): SQL never looks inside.
-- No foreign key: its check is a fifth of an append's cost, and the append itself finds the account under the account's lock, which
-- deleting the account takes too. The trigger is the ON DELETE CASCADE (docs/decisions/0023-storage-appends-without-foreign-key.md).
CREATE SEQUENCE offline_message_ids;
CREATE TABLE offline_messages (
	account_id bigint NOT NULL,
	id         bigint NOT NULL,
	time_us    bigint NOT NULL,
	key        bytea,
	meta       bytea NOT NULL,
	stanza     bytea NOT NULL,
	PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX offline_messages_key ON offline_messages (account_id, key) WHERE key IS NOT NULL;
CREATE FUNCTION offline_messages_follow_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM offline_messages WHERE account_id = OLD.id;
	RETURN NULL;
END $$;
CREATE TRIGGER offline_messages_follow_account AFTER DELETE ON accounts
	FOR EACH ROW EXECUTE FUNCTION offline_messages_follow_account();

CREATE TABLE private_xml (
	account_id bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
	ns         text COLLATE "C" NOT NULL,
	name       text COLLATE "C" NOT NULL,
	xml        bytea NOT NULL,
	PRIMARY KEY (account_id, ns, name)
);

CREATE TABLE vcards (
	account_id bigint PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
	xml        bytea NOT NULL
);

CREATE TABLE last_activity (
	account_id bigint PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
	time_us    bigint NOT NULL,
	status     text NOT NULL
) WITH (fillfactor = 80);

-- The highest epoch that has written for each slot of the account space; a writer with a lower one is refused.
CREATE TABLE slot_fence (
	slot  integer PRIMARY KEY,
	epoch bigint NOT NULL
) WITH (fillfactor = 80);
