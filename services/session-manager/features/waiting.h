/* SPDX-License-Identifier: Apache-2.0
 *
 * waiting: reads an account's messages that wait for a client (msglog.h), oldest first, page by page, for XEP-0013. */
#ifndef SESSION_MANAGER_FEATURES_WAITING_H
#define SESSION_MANAGER_FEATURES_WAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/proto/storage.pb-c.h"
#include "services/session-manager/features/archive_line.h"

#define WAITING_ASKED_MAX 500

struct account;

/* A request for them; heap, freed at its end. */
struct waiting {
	struct archive_turn turn;
	/* For each message; false: enough. */
	bool (*each)(struct waiting *w, const Starling__LogEntry *e);
	bool sends; /* `each` sends it to the client: not more than that can take */
	/* Answers the iq. code: OK, or why not all could be read; NOT_FOUND when one of `asked` does not wait. */
	void (*done)(struct waiting *w, int code);
	const uint64_t *asked; /* just these, rising, each once; in the arena of the iq */
	size_t asked_n;        /* 0: all */
	struct buf out;        /* what `each` gathers for `done` */
	uint32_t seen;         /* messages that `each` got */
	/* waiting.c's own. */
	struct account *account; /* pinned; NULL until the log is loaded */
	uint64_t *ids;           /* read one by one */
	size_t ids_n, ids_read;
	uint64_t after, last; /* then what is between */
};

/* Takes w over. */
void waiting_read(struct waiting *w);

#endif
