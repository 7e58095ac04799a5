/* SPDX-License-Identifier: Apache-2.0
 *
 * bytestream: two connections that asked for the same destination (XEP-0065 section 6), from the first that came to the last byte. */
#ifndef PROXY65_BYTESTREAM_H
#define PROXY65_BYTESTREAM_H

#include "services/proxy65/flow.h"
#include "services/proxy65/peer.h"
#include "services/proxy65/proxy65.h"

struct bytestream {
	struct list_node node; /* in its bucket */
	struct proxy65 *proxy;
	char dst[SOCKS5_DST + 1];
	struct peer *peers[2]; /* in the order in which they came; NULL: not there */
	bool active;
	/* Once it is active: */
	struct user *user;
	struct flow flows[2]; /* from peers[i] to the other */
	struct bucket tokens;
	uint64_t bytes, last_ms; /* when it carried something */
	struct wheel_timer wake; /* more may be moved */
	struct wheel_timer idle;
};

/* False: two are there already, which is all (XEP-0065 section 10.1). */
bool bytestream_join(struct proxy65 *proxy, struct peer *peer, const char *dst);
/* A connection that waits is going away. */
void bytestream_leave(struct peer *peer);

enum activation {
	ACTIVATION_OK,
	ACTIVATION_NOBODY, /* no connection has asked for it */
	ACTIVATION_ALONE,  /* one has */
	ACTIVATION_TWICE,  /* it is active */
	ACTIVATION_STREAMS,
	ACTIVATION_QUOTA, /* its user may not have another */
	ACTIVATION_DRAINING,
};
/* user: bare JID of the requester. */
enum activation bytestream_activate(struct proxy65 *proxy, const char *dst, struct str user);

/* Something can be read from or written to a connection of an active stream; broken: nothing ever again. */
void bytestream_ready(struct peer *peer, bool broken);

enum bytestream_end { BYTESTREAM_DONE, BYTESTREAM_BROKEN, BYTESTREAM_IDLE, BYTESTREAM_QUOTA, BYTESTREAM_STOP };
/* Both connections are closed; the stream is gone. */
void bytestream_end(struct bytestream *b, enum bytestream_end how);

#endif
