-- The spool (docs/decisions/0034-storage-spool.md): stanzas for other servers that were taken and not yet acknowledged. Belongs to no account.

-- Who owns a slot of remote domains, an instance of s2s as a signed number; 0: nobody. All slots are there from the beginning. Whoever reads this row in order
-- to write, and whoever changes it, holds the slot's advisory lock (class 1398031704) until the commit.
CREATE TABLE spool_owner (
	slot     integer PRIMARY KEY,
	epoch    bigint NOT NULL,
	instance bigint NOT NULL
) WITH (fillfactor = 50);
INSERT INTO spool_owner (slot, epoch, instance) SELECT n, 0, 0 FROM generate_series(0, 1023) n;

-- What the rows of a domain come to; only while there are some.
CREATE TABLE spool_domain (
	slot   integer NOT NULL,
	domain text COLLATE "C" NOT NULL,
	count  bigint NOT NULL,
	bytes  bigint NOT NULL,
	PRIMARY KEY (slot, domain)
) WITH (fillfactor = 50);

-- Ids are of one sequence for all domains and never used again: a repeated SpoolDone must not hit another stanza. They are drawn under the slot's lock, so
-- for each domain order of ids = order of commit. meta is a packed StanzaMeta: SQL never looks inside. size: bytes of stanza and extra.
CREATE SEQUENCE spool_ids;
CREATE TABLE spool (
	domain     text COLLATE "C" NOT NULL,
	id         bigint NOT NULL,
	slot       integer NOT NULL,
	size       integer NOT NULL,
	time_us    bigint NOT NULL,
	key_stream bigint NOT NULL,
	key_number bigint NOT NULL,
	meta       bytea NOT NULL,
	stanza     bytea NOT NULL,
	extra      bytea,
	PRIMARY KEY (domain, id)
);
-- For a look-up that is rare, but may come for a thousand stanzas in a row while the domain has a hundred thousand.
CREATE INDEX spool_key ON spool (key_stream, key_number) WHERE key_stream <> 0;
