/* SPDX-License-Identifier: Apache-2.0
 *
 * roster: an account's contacts in memory, as the store has them. Changes go to the store first and come into force with its answer
 * (roster_put, roster_remove: only within account_serial). */
#ifndef SESSION_MANAGER_ROSTER_H
#define SESSION_MANAGER_ROSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/base/str.h"
#include "ipc/proto/storage.pb-c.h"
#include "services/session-manager/subscription.h"
#include "services/session-manager/table.h"

struct account;
struct session;

/* One allocation with its strings. */
struct roster_item {
	struct table_node by_jid;
	struct list_node node;
	const char *jid, *name;
	const char *const *groups;
	uint32_t group_count;
	enum sub_state state;
	bool approved; /* RFC 6121 section 3.4 */
	bool hidden;   /* not part of what clients see: it only remembers a request */
	uint64_t version;
	struct str pending; /* the contact's subscribe, canonical */
};

struct roster {
	uint64_t version;
	struct table items;
	struct list_node order;
	uint32_t count;
};

/* reply may be NULL: empty. */
struct roster *roster_new(const Starling__RosterReply *reply);
void roster_free(struct roster **r);
struct roster_item *roster_find(const struct roster *r, struct str jid);
/* The state towards a contact; none for a stranger. */
enum sub_state roster_state(const struct roster *r, struct str jid);

/* What an item is to be. Views; live as long as the call. */
struct roster_change {
	struct str jid, name;
	const struct str *groups;
	uint32_t group_count;
	enum sub_state state;
	bool approved, hidden;
	struct str pending;
};
/* The item as it is now, or an empty hidden one for a stranger; roster_change_done frees what it holds. */
void roster_change_from(struct roster_change *out, const struct roster *r, struct str jid);
void roster_change_done(struct roster_change *c);

/* code: OK, or LIMIT, NOT_FOUND (no account), WRONG_OWNER (gone meanwhile). The change is in force and pushed before it runs. a is
 * NULL with WRONG_OWNER. While the store is away it is tried again. */
typedef void (*roster_fn)(struct account *a, int code, void *ctx);
/* committed, if any, runs between the commit and the push: where RFC 6121 section 3 has a stanza delivered before the push. */
void roster_put(struct account *a, const struct roster_change *c, roster_fn committed, roster_fn done, void *ctx);
void roster_remove(struct account *a, struct str jid, roster_fn committed, roster_fn done, void *ctx);

/* <item .../> as clients see it (RFC 6121 section 2.1.2). */
void roster_write_item(struct buf *out, const struct roster_item *i);
/* RFC 6121 section 2.1.6: to all interested resources. */
void roster_push(struct account *a, const struct roster_item *i);
void roster_push_removed(struct account *a, const char *jid, uint64_t version);
/* To this one only. */
void roster_push_to(struct session *s, const struct roster_item *i);
void roster_push_removed_to(struct session *s, const char *jid, uint64_t version);

#endif
