/* SPDX-License-Identifier: Apache-2.0
 *
 * alias: topic aliases of one connection (MQTT 5.0 section 3.3.2.3.4). The client's are a table by number. Ours are for the topics that it gets most
 * often: each topic has one alias that it may have, and of those that share it the one that comes more often than the others gets it. */
#ifndef MQTT_BROKER_ALIAS_H
#define MQTT_BROKER_ALIAS_H

#include "common/mqtt/mqtt_deliver.h"

struct mq_alias {
	char *topic; /* NULL: not set */
	uint32_t n;
	uint32_t score; /* ours: times that it came, less times that others did */
};

struct mq_alias_slots {
	uint32_t max;
	struct mq_alias at[];
};

/* A zeroed one is empty, and takes no memory until the first alias. `max` is the same in all calls. */
struct mq_aliases {
	struct mq_alias_slots *slots;
};

void mq_aliases_fini(struct mq_aliases *a);
/* The client says that `alias` (1 to max) stands for the topic from now on. */
void mq_aliases_set(struct mq_aliases *a, uint16_t max, uint16_t alias, struct str topic);
/* What it stands for; .p is NULL: nothing yet. */
struct str mq_aliases_get(const struct mq_aliases *a, uint16_t alias);

/* The alias for this topic, into *d, if it is to have one; alias_known: it is set at the other side. max: 0: there are none. mq_aliases_sent must follow when it was
 * written and not known. */
void mq_aliases_choose(struct mq_aliases *a, uint16_t max, struct str topic, struct mqtt_delivery *d);
void mq_aliases_sent(struct mq_aliases *a, uint16_t max, struct str topic, const struct mqtt_delivery *d);

#endif
