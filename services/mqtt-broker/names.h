/* SPDX-License-Identifier: Apache-2.0
 *
 * names: who has which client identifier, within one host, and other things that are known by name. A thing begins with its name, a struct str, so that the
 * table need not have that as well: there are as many as clients. Pure; clients choose the names, so the hash has a key. */
#ifndef MQTT_BROKER_NAMES_H
#define MQTT_BROKER_NAMES_H

#include "common/mqtt/index_hash.h"

struct mq_names_entry {
	void *value; /* NULL: free */
	uint32_t hash;
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
/* It begins with its name, which is not in the table, and does not change while it is. */
void mq_names_put(struct mq_names *n, void *value);
void mq_names_remove(struct mq_names *n, struct str name);

#endif
