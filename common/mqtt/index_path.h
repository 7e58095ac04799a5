/* SPDX-License-Identifier: Apache-2.0
 *
 * index_path: a topic name or filter cut into its levels (MQTT 5.0 section 4.7). A level may be empty: "/a" has two.
 * What is checked here is what the indexes stand on. That the text is UTF-8 without U+0000 is the decoder's matter. */
#ifndef COMMON_MQTT_INDEX_PATH_H
#define COMMON_MQTT_INDEX_PATH_H

#include <stdint.h>

#include "common/base/str.h"

/* Of one topic or filter; more are refused. Real ones have less than twenty; 65,535 bytes would hold 65,536 levels, and each costs a node. */
#define INDEX_LEVELS_MAX 128u

enum index_kind {
	INDEX_NAME,   /* no wildcards [MQTT-4.7.0-1] */
	INDEX_FILTER, /* wildcards, each a level of its own, # the last [MQTT-4.7.1-1], [MQTT-4.7.1-2] */
};

struct index_path {
	uint32_t count;
	struct str levels[INDEX_LEVELS_MAX + 2]; /* and a share group */
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

/* Views into the text. False when the indexes do not take it: empty [MQTT-4.7.3-1], longer than 65,535 bytes [MQTT-4.7.3-3], wildcards
 * not in their places, or too many levels. */
bool index_path_cut(struct str text, enum index_kind kind, struct index_path *out);

#endif
