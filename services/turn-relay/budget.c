/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/budget.h"

#include "common/base/mem.h"
#include "services/turn-relay/mix.h"

/* Empties at `rate`; full means that no more may be sent. */
struct cell {
	uint32_t at_ms;
	float sent;
};

struct budget {
	uint32_t rate, burst;
	uint64_t key;
	struct cell cells[BUDGET_CELLS];
};

struct budget *budget_new(uint32_t rate, uint32_t burst, uint64_t key)
{
	struct budget *b = mem_new(struct budget);

	b->rate = rate;
	b->burst = burst;
	b->key = key;
	return b;
}

void budget_free(struct budget **b)
{
	mem_free(*b);
	*b = NULL;
}

bool budget_take(struct budget *b, const struct net_addr *to, uint64_t now_ms)
{
	uint8_t network[16];
	struct cell *c;
	uint32_t now = (uint32_t)now_ms;
	float back;

	net_addr_key(to, network);
	c = &b->cells[mix_bytes16(network, b->key) % BUDGET_CELLS];
	back = (float)(now - c->at_ms) * (float)b->rate / 1000;
	c->sent = back < c->sent ? c->sent - back : 0;
	c->at_ms = now;
	if (c->sent + 1 > (float)b->burst)
		return false;
	c->sent += 1;
	return true;
}
