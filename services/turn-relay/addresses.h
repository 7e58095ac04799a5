/* SPDX-License-Identifier: Apache-2.0
 *
 * addresses: where the relay listens, which addresses peers see, what clients are told of them, and all that are this machine's own. Each a concrete one: an answer must come from
 * the address that was asked, and a relayed address must be one that a peer can use. */
#ifndef TURN_ADDRESSES_H
#define TURN_ADDRESSES_H

#include "common/net/addr.h"
#include "services/turn-relay/config.h"

#define TURN_ADDRESSES_MAX 32u

struct turn_addresses {
	struct net_addr listen[TURN_ADDRESSES_MAX]; /* ports are 0 in all */
	struct net_addr relay[TURN_ADDRESSES_MAX], told[TURN_ADDRESSES_MAX];
	struct net_addr own[3 * TURN_ADDRESSES_MAX];   /* of the interfaces, and what relay ones are told as */
	struct net_addr peers[2 * TURN_ADDRESSES_MAX]; /* of relay and told: what is a peer when it has the port of an allocation */
	size_t listen_count, relay_count, own_count, peer_count;
	bool mapped;                  /* some are told as others */
	struct net_addr alternate[2]; /* IPv4, IPv6: where clients go when this relay drains; port 0: none */
	struct net_addr discovery;    /* the second address of RFC 5780; with has_discovery */
	bool has_discovery;
};

/* Behind a NAT, for two clients of this relay: the address as it is here of what was told, and the other way round. Others stay as they are. */
void turn_addresses_localise(const struct turn_addresses *all, struct net_addr *a);
void turn_addresses_tell(const struct turn_addresses *all, struct net_addr *a);
/* 0, or -1 with e set: not numeric, too many, none at all, or a mapping of an address that is no relay's. */
int turn_addresses_find(struct turn_addresses *out, const struct turn_config *c, struct err *e);

#endif
