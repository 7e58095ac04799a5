/* SPDX-License-Identifier: Apache-2.0
 *
 * ratelimit: token buckets, alone and one for each client address. Times are the caller's monotonic milliseconds. */
#ifndef COMMON_NET_RATELIMIT_H
#define COMMON_NET_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net/addr.h"

struct bucket {
	double tokens;
	uint64_t at_ms;
};

/* rate: tokens a second; burst: the most that can be saved up. A zeroed bucket must be filled first. */
void bucket_fill(struct bucket *b, double burst, uint64_t now_ms);
double bucket_level(struct bucket *b, double rate, double burst, uint64_t now_ms);
/* Takes n when there are that many. */
bool bucket_take(struct bucket *b, double rate, double burst, double n, uint64_t now_ms);

/* --- by address (net_addr_key) ------------------------------------------------------------------------------------ */

struct ratelimit;

struct ratelimit_config {
	double rate; /* events a second and address; 0: unlimited */
	double burst;
	uint32_t concurrent; /* held at the same time by one address; 0: unlimited */
	uint32_t addresses;  /* remembered at most; all others share one entry. 0: 65536 */
};

enum ratelimit_verdict { RATELIMIT_OK, RATELIMIT_RATE, RATELIMIT_CONCURRENT };

struct ratelimit *ratelimit_new(const struct ratelimit_config *config);
void ratelimit_free(struct ratelimit **r);
void ratelimit_configure(struct ratelimit *r, const struct ratelimit_config *config);
/* One event. */
enum ratelimit_verdict ratelimit_take(struct ratelimit *r, const struct net_addr *a, uint64_t now_ms);
/* What was taken should not count: up to the burst, it comes back. */
void ratelimit_give_back(struct ratelimit *r, const struct net_addr *a, uint64_t now_ms);
/* One event that goes on until ratelimit_leave. *out_shared must be handed back there. */
enum ratelimit_verdict ratelimit_enter(struct ratelimit *r, const struct net_addr *a, uint64_t now_ms, bool *out_shared);
void ratelimit_leave(struct ratelimit *r, const struct net_addr *a, bool shared);
uint32_t ratelimit_size(const struct ratelimit *r);

#endif
