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

uint16_t mq_inflight_add(struct mq_inflight *f, unsigned qos)
{
	if (f->next - f->first >= MQ_INFLIGHT_SPAN)
		return 0;
	if (f->next - f->first == f->cap)
		grow(f);
	f->states[f->next & (f->cap - 1)] = qos == 2 ? MQ_FLIGHT_QOS2 : MQ_FLIGHT_QOS1;
	f->count++;
	return (uint16_t)(f->next++ % IDS + 1);
}

/* The number behind the identifier, or next: none. */
static uint64_t number_of(const struct mq_inflight *f, uint16_t id)
{
	uint64_t ahead = ((uint64_t)id - 1 + IDS - f->first % IDS) % IDS;

	return id && ahead < f->next - f->first ? f->first + ahead : f->next;
}

enum mq_flight mq_inflight_get(const struct mq_inflight *f, uint16_t id)
{
	uint64_t n = number_of(f, id);

	return n == f->next ? MQ_FLIGHT_NONE : (enum mq_flight)f->states[n & (f->cap - 1)];
}

void mq_inflight_set(struct mq_inflight *f, uint16_t id, enum mq_flight state)
{
	uint64_t n = number_of(f, id);

	f->states[n & (f->cap - 1)] = (uint8_t)state;
	if (state != MQ_FLIGHT_NONE)
		return;
	f->count--;
	while (f->first < f->next && f->states[f->first & (f->cap - 1)] == MQ_FLIGHT_NONE)
		f->first++;
}
