/* SPDX-License-Identifier: Apache-2.0
 *
 * queue: messages with QoS 1 and 2 that wait for one client: for room in its window, or in its connection. Bounded by the caller, who reads the counts. */
#ifndef MQTT_BROKER_QUEUE_H
#define MQTT_BROKER_QUEUE_H

#include "services/mqtt-broker/message.h"

struct mq_queued {
	struct mq_message *message; /* a reference */
	uint32_t *ids;              /* subscription identifiers, when there are several; owned */
	uint32_t id;                /* the only one; 0: none. With ids: how many */
	uint8_t qos;
	bool retain;
};

struct mq_queue_ring {
	uint64_t bytes;
	uint32_t cap; /* a power of two */
	uint32_t head, count;
	struct mq_queued items[];
};

/* A zeroed one is empty, and an empty one takes no memory; mq_queue_fini frees. */
struct mq_queue {
	struct mq_queue_ring *ring;
};

static inline uint32_t mq_queue_count(const struct mq_queue *q)
{
	return q->ring ? q->ring->count : 0;
}

static inline uint64_t mq_queue_bytes(const struct mq_queue *q)
{
	return q->ring ? q->ring->bytes : 0;
}

void mq_queue_fini(struct mq_queue *q);
/* Takes over the message's reference; ids are copied. */
void mq_queue_push(struct mq_queue *q, struct mq_message *message, const struct mqtt_delivery *d);
/* The oldest, as it is to be delivered; NULL: none. It stays in the queue. */
const struct mq_queued *mq_queue_first(const struct mq_queue *q, struct mqtt_delivery *out);
void mq_queue_pop(struct mq_queue *q); /* of one that is not empty */

#endif
