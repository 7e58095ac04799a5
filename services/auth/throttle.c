/* SPDX-License-Identifier: Apache-2.0 */
#include "services/auth/throttle.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/net/ratelimit.h"

struct throttle {
	struct ratelimit *table;
	bool limited;
};

struct throttle *throttle_new(void)
{
	return mem_new(struct throttle);
}

void throttle_free(struct throttle **t)
{
	if (!*t)
		return;
	ratelimit_free(&(*t)->table);
	mem_free(*t);
	*t = NULL;
}

void throttle_configure(struct throttle *t, double rate, double burst, uint32_t addresses)
{
	const struct ratelimit_config config = { .rate = rate, .burst = burst, .addresses = addresses };

	t->limited = rate > 0;
	if (t->table)
		ratelimit_configure(t->table, &config);
	else
		t->table = ratelimit_new(&config);
}

static bool parse(const char *address, struct net_addr *out)
{
	struct sockaddr_storage sa;
	socklen_t len;

	if (!address || net_addr_parse(address, 0, &sa, &len, NULL) != 0)
		return false;
	net_addr_from((const struct sockaddr *)&sa, out);
	return true;
}

bool throttle_take(struct throttle *t, const char *address, uint64_t now_ms)
{
	struct net_addr a;

	return !t->limited || !parse(address, &a) || ratelimit_take(t->table, &a, now_ms) == RATELIMIT_OK;
}

bool throttle_open(struct throttle *t, const char *address, uint64_t now_ms)
{
	struct net_addr a;

	if (!t->limited || !parse(address, &a))
		return true;
	if (ratelimit_take(t->table, &a, now_ms) != RATELIMIT_OK)
		return false;
	ratelimit_give_back(t->table, &a, now_ms);
	return true;
}
