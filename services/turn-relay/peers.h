/* SPDX-License-Identifier: Apache-2.0
 *
 * peers: whom one allocation exchanges data with: permissions (RFC 8656 section 9) and channels (section 12). Few of each, in arrays; what has expired is
 * found so when it is looked at, and its place used again. A zeroed struct is empty. Times are monotonic milliseconds. */
#ifndef TURN_PEERS_H
#define TURN_PEERS_H

#include "common/net/addr.h"

#define PEERS_PERMISSION_MS 300000u
#define PEERS_CHANNEL_MS    600000u

struct permission {
	uint8_t ip[16];
	uint64_t until_ms;
};

struct channel {
	struct net_addr peer;
	uint16_t number;
	uint16_t permission; /* where the peer's was when the channel was bound */
	uint64_t until_ms;
};

struct peers {
	struct permission *permissions;
	struct channel *channels;
	uint16_t permission_count, permission_cap, channel_count, channel_cap;
};

void peers_fini(struct peers *p);

/* Installs or refreshes. False: `max` are valid already. */
bool peers_permit(struct peers *p, const struct net_addr *peer, uint64_t now_ms, uint16_t max);
bool peers_permitted(const struct peers *p, const struct net_addr *peer, uint64_t now_ms);

enum peers_bound { PEERS_BOUND, PEERS_CONFLICT, PEERS_FULL };
/* Binds or refreshes, and the peer's permission with it. CONFLICT: number or peer belongs to another binding. */
enum peers_bound peers_bind(struct peers *p, uint16_t number, const struct net_addr *peer, uint64_t now_ms, uint16_t max_channels,
                            uint16_t max_permissions);
const struct channel *peers_by_number(const struct peers *p, uint16_t number, uint64_t now_ms);
const struct channel *peers_by_address(const struct peers *p, const struct net_addr *peer, uint64_t now_ms);
/* Has the channel's peer still a permission to send to the client? */
bool peers_channel_permitted(const struct peers *p, const struct channel *c, uint64_t now_ms);

/* Those of one address family end with its relayed address (section 8.1). */
void peers_forget(struct peers *p, bool v4);
uint16_t peers_count(const struct peers *p, uint64_t now_ms, uint16_t *out_channels); /* valid permissions */

#endif
