/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/ports.h"

static uint64_t bit(uint16_t port)
{
	return (uint64_t)1 << port % 64;
}

void relay_ports_init(struct relay_ports *p, uint16_t first, uint16_t last)
{
	p->first = first;
	p->last = last;
	for (unsigned i = 0; i < 65536 / 64; i++)
		atomic_init(&p->taken[i], 0);
}

bool relay_ports_take(struct relay_ports *p, uint16_t port)
{
	if (port < p->first || port > p->last)
		return false;
	return !(atomic_fetch_or_explicit(&p->taken[port / 64], bit(port), memory_order_relaxed) & bit(port));
}

void relay_ports_give(struct relay_ports *p, uint16_t port)
{
	atomic_fetch_and_explicit(&p->taken[port / 64], ~bit(port), memory_order_relaxed);
}

bool relay_ports_is_taken(const struct relay_ports *p, uint16_t port)
{
	return (atomic_load_explicit(&p->taken[port / 64], memory_order_relaxed) & bit(port)) != 0;
}

static bool take_wanted(struct relay_ports *p, uint16_t port, bool even, bool pair)
{
	if ((even && port % 2 != 0) || (pair && port == p->last) || !relay_ports_take(p, port))
		return false;
	if (!pair || relay_ports_take(p, (uint16_t)(port + 1)))
		return true;
	relay_ports_give(p, port);
	return false;
}

uint16_t relay_ports_any(struct relay_ports *p, uint32_t random, bool even, bool pair)
{
	uint32_t count = (uint32_t)p->last - p->first + 1, start = random % count;

	for (uint32_t i = 0; i < count; i++) {
		uint16_t port = (uint16_t)(p->first + (start + i) % count);

		if (take_wanted(p, port, even, pair))
			return port;
	}
	return 0;
}
