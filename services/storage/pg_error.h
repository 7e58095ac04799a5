/* SPDX-License-Identifier: Apache-2.0
 *
 * pg_error: what a SQLSTATE means for whoever asked. Pure. */
#ifndef STORAGE_PG_ERROR_H
#define STORAGE_PG_ERROR_H

/* In order of growing reach. */
enum pg_class {
	PG_CLASS_ROW,   /* this operation's own fault: its neighbours in the batch can go on without it */
	PG_CLASS_RETRY, /* deadlock, serialisation: again, alone */
	PG_CLASS_STALE, /* the connection's prepared statements no longer fit: connect again */
	PG_CLASS_AWAY,  /* PostgreSQL cannot work now: shutting down, out of resources, read-only, timed out */
	PG_CLASS_BUG,   /* our SQL or our schema is wrong */
};

enum pg_class pg_error_class(const char *sqlstate);
/* Code (ipc/proto/envelope.proto) of an operation that failed alone with this state. */
int pg_error_code(const char *sqlstate);
const char *pg_class_name(enum pg_class c);

#endif
