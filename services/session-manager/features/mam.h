/* SPDX-License-Identifier: Apache-2.0
 *
 * mam: what the files of XEP-0313 share. mam_form.c reads a query, mam.c asks the store, mam_result.c writes what it answers. */
#ifndef SESSION_MANAGER_FEATURES_MAM_H
#define SESSION_MANAGER_FEATURES_MAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/proto/storage.pb-c.h"
#include "services/session-manager/features/archive_line.h"

#define NS_MAM         "urn:xmpp:mam:2"
#define MAM_PAGE       50  /* where the client does not say how much it wants */
#define MAM_IDS_MAX    500 /* asked for one by one */
#define MAM_PAGE_BYTES ((size_t)1 << 20)

/* One query; in the arena of its iq. */
struct mam_query {
	struct archive_turn turn;
	struct str queryid; /* p is NULL: none */
	bool flip;
	bool open;         /* asks for all up to the newest message, whomever it is from */
	uint64_t named[2]; /* after-id, before-id: must be in the archive (section 4.1.3) */
	size_t named_n;
	Starling__LogQueryRequest request; /* points into the arena */
};

/* What is wrong with a query: a stanza error. */
struct mam_fault {
	const char *condition, *text;
};

/* False: *fault says why not. */
bool mam_read(struct iq *iq, uint32_t page_max, struct mam_query *out, struct mam_fault *fault);
/* The form that a client gets when it asks which fields there are. */
struct str mam_form(void);

struct session;

/* The messages of a page, in the order asked for. */
void mam_send_page(struct session *s, const struct mam_query *q, const Starling__LogQueryReply *reply);
void mam_write_fin(struct buf *out, const struct mam_query *q, const Starling__LogQueryReply *reply);

#endif
