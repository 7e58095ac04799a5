/* SPDX-License-Identifier: Apache-2.0
 *
 * index_path: a topic name or filter as the numbers of its levels (MQTT 5.0 section 4.7). A level may be empty: "/a" has two.
 * What is checked here is what the indexes stand on. That the text is UTF-8 without U+0000 is the decoder's matter. */
#ifndef COMMON_MQTT_INDEX_PATH_H
#define COMMON_MQTT_INDEX_PATH_H

#include "common/mqtt/index_level.h"

/* Of one topic or filter; more are refused. Real ones have less than twenty; 65,535 bytes would hold 65,536 levels, and each costs a node. */
#define INDEX_LEVELS_MAX 128u

/* What an index consists of. Memory is some 45 bytes a node and 40 a level, and what is beside them (index_subs.h, index_retained.h). */
struct index_size {
	uint32_t nodes;  /* of the tree, without the root */
	uint32_t levels; /* different texts */
};

enum index_kind {
	INDEX_NAME,   /* no wildcards [MQTT-4.7.0-1] */
	INDEX_FILTER, /* wildcards, each a level of its own, # the last [MQTT-4.7.1-1], [MQTT-4.7.1-2] */
};

struct index_path {
	uint32_t count;
	uint32_t levels[INDEX_LEVELS_MAX + 2]; /* and a share group */
};

/* The next level of what is left of a text: takes it off, with the slash behind it. False when it was the last. */
static inline bool index_level_cut(struct str *rest, struct str *level)
{
	const char *slash = rest->n ? memchr(rest->p, '/', rest->n) : NULL;

	if (!slash) {
		*level = *rest;
		return false;
	}
	*level = str_make(rest->p, (size_t)(slash - rest->p));
	*rest = str_make(slash + 1, rest->n - level->n - 1);
	return true;
}

/* Is it one that the indexes take? Not empty [MQTT-4.7.3-1], wildcards in their places, not too many levels. */
bool index_path_valid(struct str text, enum index_kind kind);
/* False when it is not valid, or has a level that nothing else has: then it is in no index of these levels. */
bool index_path_find(const struct index_levels *l, struct str text, enum index_kind kind, struct index_path *out);
/* False when it is not valid. With a reference of each level, until index_path_unref. */
bool index_path_ref(struct index_levels *l, struct str text, enum index_kind kind, struct index_path *out);
void index_path_unref(struct index_levels *l, const struct index_path *path);

#endif
