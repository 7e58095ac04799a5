/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/inflight.h"

#include "common/base/mem.h"

#define IDS 65535u

void mq_inflight_fini(struct mq_inflight *f)
{
	mem_free(f->states);
	*f = (struct mq_inflight){ 0 };
}

static void grow(struct mq_inflight *f)
{
	uint32_t cap = f->cap ? f->cap * 2 : 16;
	uint8_t *states = mem_alloc(cap);

	for (uint64_t n = f->first; n < f->next; n++)
		states[n & (cap - 1)] = f->states[n & (f->cap - 1)];
	mem_free(f->states);
	f->states = states;
	f->cap = cap;
}

uint16_t mq_inflight_id(uint64_t number)
{
	return (uint16_t)(number % IDS + 1);
}

bool mq_inflight_fits(const struct mq_inflight *f, uint64_t number)
{
	return f->first == f->next || number - f->first < MQ_INFLIGHT_SPAN;
}

uint16_t mq_inflight_put(struct mq_inflight *f, uint64_t number, enum mq_flight state)
{
	if (!mq_inflight_fits(f, number))
		return 0;
	if (f->first == f->next)
		f->first = f->next = number;
	while (f->next <= number) {
		if (f->next - f->first == f->cap)
			grow(f);
		f->states[f->next & (f->cap - 1)] = (uint8_t)(f->next == number ? state : MQ_FLIGHT_NONE);
		f->next++;
	}
	f->count++;
	return mq_inflight_id(number);
}

uint16_t mq_inflight_add(struct mq_inflight *f, unsigned qos)
{
	return mq_inflight_put(f, f->next, qos == 2 ? MQ_FLIGHT_QOS2 : MQ_FLIGHT_QOS1);
}

/* The number behind the identifier, or next: none. */
uint64_t mq_inflight_number(const struct mq_inflight *f, uint16_t id)
{
	uint64_t ahead = ((uint64_t)id - 1 + IDS - f->first % IDS) % IDS;

	return id && ahead < f->next - f->first ? f->first + ahead : f->next;
}

enum mq_flight mq_inflight_get(const struct mq_inflight *f, uint16_t id)
{
	uint64_t n = mq_inflight_number(f, id);

	return n == f->next ? MQ_FLIGHT_NONE : (enum mq_flight)f->states[n & (f->cap - 1)];
}

void mq_inflight_set(struct mq_inflight *f, uint16_t id, enum mq_flight state)
{
	uint64_t n = mq_inflight_number(f, id);

	f->states[n & (f->cap - 1)] = (uint8_t)state;
	if (state != MQ_FLIGHT_NONE)
		return;
	f->count--;
	while (f->first < f->next && f->states[f->first & (f->cap - 1)] == MQ_FLIGHT_NONE)
		f->first++;
}
