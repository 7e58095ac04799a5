/* SPDX-License-Identifier: Apache-2.0
 *
 * names: who has which client identifier, within one host. Pure; clients choose the names, so the hash has a key. */
#ifndef MQTT_BROKER_NAMES_H
#define MQTT_BROKER_NAMES_H

#include "common/mqtt/index_hash.h"

struct mq_names_entry {
	void *value; /* NULL: free */
	const char *name;
	uint32_t n, hash;
};

struct mq_names {
	struct mq_names_entry *entries;
	uint32_t cap; /* a power of two, or 0 */
	uint32_t count;
	struct index_key key;
};

void mq_names_init(struct mq_names *n);
void mq_names_fini(struct mq_names *n);
void *mq_names_get(const struct mq_names *n, struct str name); /* NULL: nobody */
/* name: not in it; must last as long as it is. */
void mq_names_put(struct mq_names *n, struct str name, void *value);
void mq_names_remove(struct mq_names *n, struct str name);

#endif
