/* SPDX-License-Identifier: Apache-2.0
 *
 * pg_conn: one lasting connection to PostgreSQL: pipeline mode, statements prepared from a table, connecting again with jittered back-off.
 *
 * Work is a transaction (struct pg_tx): steps sent one after the other and closed by a sync point, which makes them one implicit
 * transaction. Transactions run in the order of sending; each ends exactly once, from the loop: committed, failed (rolled back), or lost. */
#ifndef STORAGE_PG_CONN_H
#define STORAGE_PG_CONN_H

#include <uv.h>

#include "common/base/list.h"
#include "common/base/log.h"
#include "services/storage/pg_args.h"
#include "services/storage/pg_dsn.h"

struct pg_conn;

enum pg_end {
	PG_COMMITTED,
	PG_FAILED, /* rolled back; sqlstate and error say why */
	PG_LOST,   /* the connection broke before the commit was seen: whether it was done is unknown */
};

/* Embedded in whatever wants it; must stay until on_end, and be finished by its owner then. */
struct pg_tx {
	struct list_node node;
	void (*on_end)(struct pg_tx *tx, enum pg_end end);
	PGresult **results; /* of step i, valid when committed */
	uint32_t steps, room, at;
	bool failed;
	char sqlstate[6];
	char error[256];
	uint64_t since_ms; /* sent, or first in line */
};

void pg_tx_init(struct pg_tx *tx, uint32_t room, void (*on_end)(struct pg_tx *tx, enum pg_end end));
void pg_tx_fini(struct pg_tx *tx);

struct pg_conn_config {
	uv_loop_t *loop;
	const struct pg_dsn *dsn;
	const char *const *statements; /* SQL; prepared as s0, s1, ... */
	uint32_t statement_count;
	uint32_t connect_timeout_ms;
	uint32_t statement_timeout_ms; /* in the server; a connection silent for this and 5 s more is given up */
	const struct log_ctx *log;
	/* true: prepared and usable. false: it was usable, or an attempt failed; its transactions have ended. */
	void (*on_state)(bool up, const char *why, void *ctx);
	void *ctx;
};

struct pg_conn *pg_conn_new(const struct pg_conn_config *config);
void pg_conn_free(struct pg_conn **conn); /* transactions end lost first; no on_state */
bool pg_conn_up(const struct pg_conn *conn);
uint32_t pg_conn_load(const struct pg_conn *conn); /* transactions on the way */
/* Steps of one transaction, then its commit, without another's between. Only while up. */
uint32_t pg_conn_step(struct pg_conn *conn, struct pg_tx *tx, uint32_t statement,
                      const struct pg_args *args); /* returns the step's index */
void pg_conn_commit(struct pg_conn *conn, struct pg_tx *tx);

#endif
