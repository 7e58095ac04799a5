/* SPDX-License-Identifier: Apache-2.0
 *
 * pg_dsn: where PostgreSQL is: a libpq conninfo string or URI, taken apart once at start. It holds no password: that is read from a file
 * at each connection, so that it can be changed without a restart. */
#ifndef STORAGE_PG_DSN_H
#define STORAGE_PG_DSN_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "common/base/err.h"

#define PG_HOSTS_MAX 16

struct pg_dsn {
	PQconninfoOption *options;
	char *password_file; /* NULL: none */
};

/* 0, or -1 with e set: not a conninfo, or a password in it. */
int pg_dsn_init(struct pg_dsn *d, const char *text, const char *password_file, struct err *e);
void pg_dsn_fini(struct pg_dsn *d);
const char *pg_dsn_get(const struct pg_dsn *d, const char *keyword); /* NULL when not set */
/* A host that PQconnectStart would look up in the DNS, blocking: neither a socket folder nor an address. */
bool pg_dsn_is_name(const char *host);
/* Begins to connect; NULL with e set when that fails at once. host, hostaddr and port, unless NULL, replace the DSN's (comma-separated lists of
 * equal length; an empty hostaddr leaves the host as it is). */
PGconn *pg_dsn_connect(const struct pg_dsn *d, const char *host, const char *hostaddr, const char *port, struct err *e);

#endif
