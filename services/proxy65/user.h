/* SPDX-License-Identifier: Apache-2.0
 *
 * user: what one account uses of the relay: streams at a time, bytes a second, bytes in a period. It is the requester's account, who activates. In memory and of
 * this instance alone. */
#ifndef PROXY65_USER_H
#define PROXY65_USER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "common/base/str.h"
#include "common/net/ratelimit.h"

#define USER_BUCKETS 1024u

struct user_limits {
	uint32_t streams; /* at a time */
	uint64_t rate;    /* bytes a second, over all its streams; 0: unlimited */
	uint64_t quota;   /* bytes in a period; 0: unlimited */
	uint64_t period_ms;
};

struct user {
	struct list_node node;
	uint32_t streams;
	uint64_t begun_ms; /* of the period */
	uint64_t bytes;    /* in it */
	struct bucket tokens;
	char jid[]; /* bare */
};

struct users {
	struct user_limits limits;
	struct list_node buckets[USER_BUCKETS];
	uint32_t count;
};

enum user_verdict { USER_OK, USER_STREAMS, USER_QUOTA };

void users_init(struct users *u, const struct user_limits *limits);
void users_fini(struct users *u);
/* One more stream, until user_leave(). NULL with the reason. */
struct user *user_enter(struct users *u, struct str jid, uint64_t now_ms, enum user_verdict *out_why);
void user_leave(struct user *user);
/* How many bytes it may move now, by its rate; UINT64_MAX: as many as come. */
uint64_t user_allowance(const struct users *u, struct user *user, uint64_t now_ms);
/* How many bytes it may move until user_moved() says that it is over its quota: one more than is left. UINT64_MAX: there is none. */
uint64_t user_left(const struct users *u, struct user *user, uint64_t now_ms);
/* They were moved. False: with them it is over its quota. */
bool user_moved(const struct users *u, struct user *user, uint64_t bytes, uint64_t now_ms);
/* Forgets those of whom there is nothing to know. Now and then. */
void users_sweep(struct users *u, uint64_t now_ms);

#endif
