/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/options.h"

#include "services/storage/archive_limits.h"
#include "services/storage/pg_dsn.h"

#define AT(field) offsetof(struct options, field)
#define MIB       (1024 * 1024)

const struct config_option options_table[] = {
	{ "dsn", CONFIG_STRING, AT(dsn), NULL, 0, 0, NULL, true, false,
	  "Where PostgreSQL is, as a libpq conninfo string or URI, without a password." },
	{ "password_file", CONFIG_PATH, AT(password_file), NULL, 0, 0, NULL, false, false,
	  "File whose first line is PostgreSQL's password; read at every connection." },
	{ "connections", CONFIG_INT, AT(connections), "4", 1, 64, NULL, false, false, "Connections to PostgreSQL." },
	{ "writers", CONFIG_INT, AT(writers), "1", 1, 64, NULL, false, false,
	  "How many of the connections carry writes; the others carry reads. More write faster, fewer make larger, cheaper transactions." },
	{ "batch_max", CONFIG_INT, AT(batch_max), "256", 1, 1024, NULL, false, false, "Most writes in one transaction." },
	{ "batch_bytes", CONFIG_SIZE, AT(batch_bytes), "1MiB", 1024, 64 * MIB, NULL, false, false, "Size at which a transaction is full." },
	{ "batch_window", CONFIG_DURATION, AT(batch_ms), "0ms", 0, 1000, NULL, false, false,
	  "Least time between two transactions of one connection under load; a write after a pause goes at once." },
	{ "connect_timeout", CONFIG_DURATION, AT(connect_timeout_ms), "5s", 100, 60000, NULL, false, false,
	  "Longest time to connect to PostgreSQL." },
	{ "statement_timeout", CONFIG_DURATION, AT(statement_timeout_ms), "10s", 100, 600000, NULL, false, false,
	  "Longest time that PostgreSQL may work on one statement." },
	{ "wait", CONFIG_DURATION, AT(wait_ms), "500ms", 0, 60000, NULL, false, false,
	  "How long a call waits for PostgreSQL after a connection was lost, before it fails." },
	{ "queue_max", CONFIG_INT, AT(queue_max), "20000", 16, 10000000, NULL, false, false,
	  "Most open calls; more are refused as overload." },
	{ "queue_bytes", CONFIG_SIZE, AT(queue_bytes), "128MiB", MIB, INT64_MAX, NULL, false, false,
	  "Most memory of open calls; more are refused as overload." },
	{ "roster_max", CONFIG_INT, AT(roster_items), "10000", 1, 1000000, NULL, false, false, "Most items in one roster." },
	{ "fetch_bytes", CONFIG_SIZE, AT(fetch_bytes), "1MiB", 1024, 64 * MIB, NULL, false, false,
	  "Size of stanzas or messages at which one reply with stored messages is full." },
	{ "archive.max_age", CONFIG_DURATION, AT(archive_max_age_ms), "0ms", 0, INT64_MAX / 1000, NULL, false, false,
	  "How long archives keep a message, unless it still waits for delivery; 0 keeps it for ever." },
	{ "archive.max_messages", CONFIG_INT, AT(archive_max_messages), "0", 0, INT32_MAX, NULL, false, false,
	  "How many messages one account's archive keeps, the newest; 0 keeps all." },
	{ "archive.hosts", CONFIG_LIST, AT(archive_hosts), NULL, 0, 0, NULL, false, false,
	  "Limits of single hosts, each written like \"example.org max_age=30d max_messages=10000\"; what is not named there has no "
	  "limit." },
	{ "archive.interval", CONFIG_DURATION, AT(archive_interval_ms), "1h", 1000, 604800000, NULL, false, false,
	  "How often the limits of archives are applied." },
	{ "mqtt.retained_max", CONFIG_INT, AT(retained_count), "1000000", 0, INT32_MAX, NULL, false, false,
	  "Most retained MQTT messages; more are refused. 0 is no limit." },
	{ "mqtt.retained_bytes", CONFIG_SIZE, AT(retained_bytes), "1GiB", 0, INT64_MAX, NULL, false, false,
	  "Most memory of retained MQTT messages and their topics; more are refused. 0 is no limit." },
	CONFIG_END,
};

int options_check(const struct config_shared *shared, const void *config, struct err *e)
{
	const struct options *o = config;
	struct archive_limits limits;
	struct pg_dsn dsn;

	(void)shared;
	if (archive_limits_init(&limits, o, e) < 0)
		return -1;
	archive_limits_fini(&limits);
	if (pg_dsn_init(&dsn, o->dsn, o->password_file, e) < 0)
		return -1;
	pg_dsn_fini(&dsn);
	if (o->writers > o->connections)
		return err_set(e, "services.storage.writers: more than connections (%lld)", (long long)o->connections);
	return 0;
}
