/* SPDX-License-Identifier: Apache-2.0
 *
 * index_level: the levels of topics and filters as numbers. Each text is stored once, however many topics have it, and two levels are the same when
 * their numbers are. */
#ifndef COMMON_MQTT_INDEX_LEVEL_H
#define COMMON_MQTT_INDEX_LEVEL_H

#include "common/mqtt/index_hash.h"
#include "common/mqtt/index_pool.h"
#include "common/mqtt/index_table.h"

/* Levels that no text of a topic is. */
enum index_special {
	INDEX_NONE = 0,
	INDEX_PLUS = 1,  /* + */
	INDEX_MULTI = 2, /* # */
	INDEX_SHARE = 3, /* between a filter and the names of its share groups */
};

struct index_levels {
	struct index_key key;
	struct index_pool pool;
	struct index_table table;
};

void index_levels_init(struct index_levels *l);
void index_levels_fini(struct index_levels *l);
/* INDEX_NONE when nothing has this level. */
uint32_t index_level_find(const struct index_levels *l, struct str text);
/* The level's number, with one more reference. */
uint32_t index_level_ref(struct index_levels *l, struct str text);
void index_level_again(struct index_levels *l, uint32_t level); /* one more reference */
void index_level_unref(struct index_levels *l, uint32_t level);
/* A view that holds as long as a reference. */
struct str index_level_text(const struct index_levels *l, uint32_t level);

#endif
