/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/inflight.h"

#include "common/base/mem.h"

#define IDS 65535u

void mq_inflight_fini(struct mq_inflight *f)
{
	mem_free(f->ring);
	f->ring = NULL;
}

static struct mq_inflight_ring *grow(struct mq_inflight *f)
{
	struct mq_inflight_ring *old = f->ring;
	uint32_t cap = old ? old->cap * 2 : 16;
	struct mq_inflight_ring *r = mem_alloc(sizeof(*r) + cap);

	*r = (struct mq_inflight_ring){ .cap = cap };
	if (old) {
		r->first = old->first;
		r->next = old->next;
		r->count = old->count;
		for (uint64_t n = r->first; n < r->next; n++)
			r->states[n & (cap - 1)] = old->states[n & (old->cap - 1)];
		mem_free(old);
	}
	f->ring = r;
	return r;
}

uint16_t mq_inflight_id(uint64_t number)
{
	return (uint16_t)(number % IDS + 1);
}

bool mq_inflight_fits(const struct mq_inflight *f, uint64_t number)
{
	const struct mq_inflight_ring *r = f->ring;

	return !r || r->first == r->next || number - r->first < MQ_INFLIGHT_SPAN;
}

uint16_t mq_inflight_put(struct mq_inflight *f, uint64_t number, enum mq_flight state)
{
	struct mq_inflight_ring *r = f->ring ? f->ring : grow(f);

	if (!mq_inflight_fits(f, number))
		return 0;
	if (r->first == r->next)
		r->first = r->next = number;
	while (r->next <= number) {
		if (r->next - r->first == r->cap)
			r = grow(f);
		r->states[r->next & (r->cap - 1)] = (uint8_t)(r->next == number ? state : MQ_FLIGHT_NONE);
		r->next++;
	}
	r->count++;
	return mq_inflight_id(number);
}

uint16_t mq_inflight_add(struct mq_inflight *f, unsigned qos)
{
	return mq_inflight_put(f, f->ring ? f->ring->next : 0, qos == 2 ? MQ_FLIGHT_QOS2 : MQ_FLIGHT_QOS1);
}

/* False: it is not in use. */
static bool find(const struct mq_inflight *f, uint16_t id, uint64_t *out)
{
	const struct mq_inflight_ring *r = f->ring;
	uint64_t ahead;

	if (!r || id == 0)
		return false;
	ahead = ((uint64_t)id - 1 + IDS - r->first % IDS) % IDS;
	*out = r->first + ahead;
	return ahead < r->next - r->first;
}

uint64_t mq_inflight_number(const struct mq_inflight *f, uint16_t id)
{
	uint64_t n = 0;

	find(f, id, &n);
	return n;
}

enum mq_flight mq_inflight_get(const struct mq_inflight *f, uint16_t id)
{
	uint64_t n;

	return find(f, id, &n) ? (enum mq_flight)f->ring->states[n & (f->ring->cap - 1)] : MQ_FLIGHT_NONE;
}

void mq_inflight_set(struct mq_inflight *f, uint16_t id, enum mq_flight state)
{
	struct mq_inflight_ring *r = f->ring;
	uint64_t n;

	if (!find(f, id, &n))
		return;
	r->states[n & (r->cap - 1)] = (uint8_t)state;
	if (state != MQ_FLIGHT_NONE)
		return;
	r->count--;
	while (r->first < r->next && r->states[r->first & (r->cap - 1)] == MQ_FLIGHT_NONE)
		r->first++;
}
