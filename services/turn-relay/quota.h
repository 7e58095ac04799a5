/* SPDX-License-Identifier: Apache-2.0
 *
 * quota: how many allocations there are, of whom and from where, over all threads; who is kept out; and how often somebody was wrong. Behind a mutex: for requests, never for packets. */
#ifndef TURN_QUOTA_H
#define TURN_QUOTA_H

#include "common/base/str.h"
#include "common/net/addr.h"

#define QUOTA_BLOCKED_MAX 10000u
#define QUOTA_OWN_MAX     10000u

struct quota;

struct quota_limits {
	uint32_t total, per_user, per_address; /* allocations; an address is that of a client: net_addr_key */
	uint32_t failures_a_minute;            /* of one address; 0: any */
};

enum quota_verdict { QUOTA_OK, QUOTA_TOTAL, QUOTA_USER, QUOTA_ADDRESS, QUOTA_BLOCKED };

struct quota *quota_new(const struct quota_limits *limits);
void quota_free(struct quota **q);

/* One allocation more; what is OK must be left. Times are monotonic. */
enum quota_verdict quota_enter(struct quota *q, struct str account, const struct net_addr *client, uint64_t now_ms);
void quota_leave(struct quota *q, struct str account, const struct net_addr *client);
/* An allocation that is to follow its client: counted at both addresses until one of them is left. False: `to` has too many. */
bool quota_hold_address(struct quota *q, const struct net_addr *from, const struct net_addr *to);
void quota_leave_address(struct quota *q, const struct net_addr *client);
/* No allocation of this account until then. False: QUOTA_BLOCKED_MAX are kept out already. */
bool quota_block(struct quota *q, struct str account, uint64_t until_ms, uint64_t now_ms);

struct quota_state {
	uint32_t limit, used;
	bool own;            /* set for this account alone */
	uint64_t blocked_ms; /* from now on; 0: is not */
};
void quota_look(struct quota *q, struct str account, uint64_t now_ms, struct quota_state *out);
/* A limit for this account alone, instead of per_user. False: QUOTA_OWN_MAX have one. */
bool quota_set(struct quota *q, struct str account, uint32_t limit);
void quota_reset(struct quota *q, struct str account);

/* May this address try again? Then, if it was wrong: quota_failed. */
bool quota_may_try(struct quota *q, const struct net_addr *client, uint64_t now_ms);
void quota_failed(struct quota *q, const struct net_addr *client, uint64_t now_ms);

#endif
