/* SPDX-License-Identifier: Apache-2.0
 *
 * PostgreSQL's appendix A as a table: the longest matching prefix decides. */
#include "services/storage/pg_error.h"

#include <stddef.h>
#include <string.h>

#include "ipc/proto/envelope.pb-c.h"

static const struct {
	const char *prefix;
	enum pg_class class;
	int code;
} rules[] = {
	{ "08", PG_CLASS_AWAY, STARLING__CODE__CODE_UNAVAILABLE },     /* connection exception */
	{ "0A000", PG_CLASS_STALE, STARLING__CODE__CODE_UNAVAILABLE }, /* cached plan must not change result type */
	{ "22", PG_CLASS_ROW, STARLING__CODE__CODE_INVALID },          /* bad data, such as an encoding */
	{ "23", PG_CLASS_ROW, STARLING__CODE__CODE_INVALID },          /* a constraint */
	{ "23503", PG_CLASS_ROW, STARLING__CODE__CODE_NOT_FOUND },     /* foreign key: the account went away */
	{ "23505", PG_CLASS_ROW, STARLING__CODE__CODE_EXISTS },        /* unique */
	{ "25006", PG_CLASS_AWAY, STARLING__CODE__CODE_UNAVAILABLE },  /* read-only: a standby */
	{ "26000", PG_CLASS_STALE, STARLING__CODE__CODE_UNAVAILABLE }, /* prepared statement unknown */
	{ "40", PG_CLASS_RETRY, STARLING__CODE__CODE_UNAVAILABLE },
	{ "53", PG_CLASS_AWAY, STARLING__CODE__CODE_UNAVAILABLE },     /* disk full, out of memory, too many connections */
	{ "53200", PG_CLASS_RETRY, STARLING__CODE__CODE_UNAVAILABLE }, /* out of memory or lock table: a smaller batch may fit */
	{ "54", PG_CLASS_ROW, STARLING__CODE__CODE_INVALID },          /* too large for the index or the row */
	{ "55P03", PG_CLASS_AWAY, STARLING__CODE__CODE_UNAVAILABLE },  /* lock not available in time */
	{ "57", PG_CLASS_AWAY, STARLING__CODE__CODE_UNAVAILABLE },     /* statement timeout, shutdown, crash, starting up */
	{ "58", PG_CLASS_AWAY, STARLING__CODE__CODE_UNAVAILABLE },     /* system error, such as I/O */
};

static size_t find(const char *sqlstate)
{
	size_t best = sizeof rules / sizeof rules[0], best_n = 0;

	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		size_t n = strlen(rules[i].prefix);

		if (n > best_n && strncmp(sqlstate, rules[i].prefix, n) == 0) {
			best = i;
			best_n = n;
		}
	}
	return best;
}

enum pg_class pg_error_class(const char *sqlstate)
{
	size_t i = find(sqlstate);

	return i < sizeof rules / sizeof rules[0] ? rules[i].class : PG_CLASS_BUG;
}

int pg_error_code(const char *sqlstate)
{
	size_t i = find(sqlstate);

	return i < sizeof rules / sizeof rules[0] ? rules[i].code : STARLING__CODE__CODE_INTERNAL;
}

const char *pg_class_name(enum pg_class c)
{
	static const char *const names[] = { "row", "retry", "stale", "away", "bug" };

	return names[c];
}
