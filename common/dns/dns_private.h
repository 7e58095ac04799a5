/* SPDX-License-Identifier: Apache-2.0
 *
 * dns_private: what dns.c and dns_channel.c share. */
#ifndef COMMON_DNS_DNS_PRIVATE_H
#define COMMON_DNS_DNS_PRIVATE_H

#include <ares.h>

#include "common/dns/dns.h"
#include "common/dns/dns_cache.h"

struct dns {
	struct net_loop *loop;
	ares_channel channel; /* NULL: no more questions */
	uv_timer_t timer;     /* until c-ares has a time-out to look at */
	struct list_node polls;
	uint32_t handles; /* of libuv, not yet closed */
	struct dns_cache *cache;
	struct list_node flights;
	uint32_t flight_count, max_queries;
	struct list_node answered; /* queries whose function is to run */
	struct net_task deliver;
	struct dns_stats stats;
};

/* Opens d->channel. 0, or -1 with e set and nothing open. */
int dns_channel_open(struct dns *d, const struct dns_config *config, struct err *e);
/* Ends what is under way: the callbacks of c-ares run. d is freed when the last handle has closed. */
void dns_channel_close(struct dns *d);
/* After everything that c-ares was told. */
void dns_channel_rearm(struct dns *d);

#endif
