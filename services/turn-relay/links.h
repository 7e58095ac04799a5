/* SPDX-License-Identifier: Apache-2.0
 *
 * links: connections between a client's relayed TCP address and its peers (RFC 6062), by the CONNECTION-ID that the client is told. Over all threads: the connection that a client
 * brings for one (ConnectionBind) may be accepted by another thread than the one that has its allocation. So a peer's socket waits here, unread, until it is fetched; what the peer
 * sends meanwhile is the kernel's to keep, within the window that it grants. */
#ifndef TURN_LINKS_H
#define TURN_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/str.h"
#include "common/net/addr.h"

#define LINKS_MAX     4096u  /* of all allocations */
#define LINKS_BIND_MS 30000u /* until ConnectionBind (RFC 6062 sections 5.2, 5.3) */

struct links;
struct worker;

/* end: tells the thread that has fetched a link to end its connections; called with the table locked. */
struct links *links_new(void (*end)(struct worker *w, uint32_t id));
void links_free(struct links **l);

enum links_verdict { LINKS_OK, LINKS_EXISTS, LINKS_FULL };
/* One more of `owner`, to whom it belongs under `account`. fd: connected, taken over when LINKS_OK; or -1: will be, by links_connected. EXISTS: it has one to that peer. FULL: it has
 * `max`, or all have LINKS_MAX. */
enum links_verdict links_add(struct links *l, uint64_t owner, struct str account, const struct net_addr *peer, int fd, uint32_t max,
                             uint64_t now_ms, uint32_t *out_id);
/* The socket of one that was added without; taken over. */
void links_connected(struct links *l, uint32_t id, int fd, uint64_t now_ms);
/* ConnectionBind: the socket is the caller's, and `by` will be told when it must end. False: no such connection, another account's, fetched already, or too late. */
bool links_fetch(struct links *l, uint32_t id, struct str account, struct worker *by, uint64_t now_ms, int *out_fd,
                 struct net_addr *out_peer);
void links_remove(struct links *l, uint32_t id);
/* All of an allocation that has ended. */
void links_end_of(struct links *l, uint64_t owner);
/* Closes what nobody came for; call it now and then. */
void links_expire(struct links *l, uint64_t now_ms);

#endif
