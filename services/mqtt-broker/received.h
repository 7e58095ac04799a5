/* SPDX-License-Identifier: Apache-2.0
 *
 * received: packet identifiers of a session's incoming messages with QoS 2 that are not released yet (MQTT 5.0 section 4.3.3): no more than our
 * Receive Maximum. Clients release in order, so the one looked for is among the first. Pure. */
#ifndef MQTT_BROKER_RECEIVED_H
#define MQTT_BROKER_RECEIVED_H

#include <stdbool.h>
#include <stdint.h>

struct mq_received_ids {
	uint32_t n, cap;
	uint16_t ids[];
};

/* A zeroed one is empty, and takes no memory until the first message; mq_received_fini frees. */
struct mq_received {
	struct mq_received_ids *list;
};

static inline uint32_t mq_received_count(const struct mq_received *r)
{
	return r->list ? r->list->n : 0;
}

void mq_received_fini(struct mq_received *r);
bool mq_received_has(const struct mq_received *r, uint16_t id);
void mq_received_add(struct mq_received *r, uint16_t id); /* not in it */
bool mq_received_remove(struct mq_received *r, uint16_t id);

#endif
