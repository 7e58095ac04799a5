/* SPDX-License-Identifier: Apache-2.0
 *
 * acks: what one client's packets are answered with, in the order in which they came, whenever each answer is known ([MQTT-4.6.0-2], -3). Pure. */
#ifndef MQTT_BROKER_ACKS_H
#define MQTT_BROKER_ACKS_H

#include <stdbool.h>
#include <stdint.h>

struct mq_ack {
	uint16_t packet_id;
	uint8_t type; /* enum mqtt_type: PUBACK, PUBREC, PUBCOMP */
	uint8_t reason;
	bool done;
};

struct mq_acks_ring {
	uint64_t first, next; /* numbers */
	uint32_t cap;         /* a power of two */
	struct mq_ack items[];
};

/* A zeroed one is empty; mq_acks_fini frees. */
struct mq_acks {
	struct mq_acks_ring *ring;
};

void mq_acks_fini(struct mq_acks *a);
/* The number of one more answer that is not known yet. */
uint64_t mq_acks_push(struct mq_acks *a, unsigned type, uint16_t packet_id);
/* It is known now. */
void mq_acks_done(struct mq_acks *a, uint64_t number, unsigned reason);
/* Takes out the next one that may go. An empty queue holds no memory. */
bool mq_acks_next(struct mq_acks *a, struct mq_ack *out);

static inline uint32_t mq_acks_count(const struct mq_acks *a)
{
	return a->ring ? (uint32_t)(a->ring->next - a->ring->first) : 0;
}

#endif
