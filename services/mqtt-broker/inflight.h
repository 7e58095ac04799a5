/* SPDX-License-Identifier: Apache-2.0
 *
 * inflight: which packet identifiers of a session's outgoing messages are in use, and how far each is (MQTT 5.0 sections 2.2.1 and 4.3). A message
 * has a number that rises, and its identifier follows from it, so one byte for each is all there is. Pure. */
#ifndef MQTT_BROKER_INFLIGHT_H
#define MQTT_BROKER_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#define MQ_INFLIGHT_SPAN 32767u /* numbers in use at a time: half of the identifiers, so that none can be mistaken for another's */

enum mq_flight {
	MQ_FLIGHT_NONE,     /* not in use */
	MQ_FLIGHT_QOS1,     /* PUBACK is awaited */
	MQ_FLIGHT_QOS2,     /* PUBREC is awaited */
	MQ_FLIGHT_RECEIVED, /* PUBREC has come, and is on its way to the store */
	MQ_FLIGHT_RELEASED, /* PUBREL is sent, PUBCOMP awaited */
};

struct mq_inflight_ring {
	uint64_t first; /* the oldest number in use; next when there is none */
	uint64_t next;
	uint32_t count; /* in use */
	uint32_t cap;   /* a power of two */
	uint8_t states[];
};

/* A zeroed one is empty, and takes no memory until the first message; mq_inflight_fini frees. */
struct mq_inflight {
	struct mq_inflight_ring *ring;
};

static inline uint32_t mq_inflight_count(const struct mq_inflight *f)
{
	return f->ring ? f->ring->count : 0;
}

/* Is there room for one more number? */
static inline bool mq_inflight_has_room(const struct mq_inflight *f)
{
	return !f->ring || f->ring->next - f->ring->first < MQ_INFLIGHT_SPAN;
}

void mq_inflight_fini(struct mq_inflight *f);
/* The packet identifier of one more message with QoS 1 or 2; 0: too many numbers lie between the oldest in use and this one. */
uint16_t mq_inflight_add(struct mq_inflight *f, unsigned qos);
/* The same for a message that has its number, which is not below next. */
uint16_t mq_inflight_put(struct mq_inflight *f, uint64_t number, enum mq_flight state);
/* Is there room for that number? */
bool mq_inflight_fits(const struct mq_inflight *f, uint64_t number);
uint64_t mq_inflight_number(const struct mq_inflight *f, uint16_t id); /* of one in use */
uint16_t mq_inflight_id(uint64_t number);
enum mq_flight mq_inflight_get(const struct mq_inflight *f, uint16_t id);
/* Of one in use: MQ_FLIGHT_NONE when it is done. */
void mq_inflight_set(struct mq_inflight *f, uint16_t id, enum mq_flight state);

#endif
