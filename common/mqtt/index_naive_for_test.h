/* SPDX-License-Identifier: Apache-2.0
 *
 * index_naive_for_test: what the indexes are compared with: section 4.7 of MQTT 5.0 word by word, one filter and one topic; and random texts. */
#ifndef COMMON_MQTT_INDEX_NAIVE_FOR_TEST_H
#define COMMON_MQTT_INDEX_NAIVE_FOR_TEST_H

#include <stdint.h>
#include <stdio.h>

#include "common/base/str.h"

/* The levels that are left; NULL when there are none. */
static inline bool naive_rest(const char *filter, const char *topic)
{
	if (filter && strcmp(filter, "#") == 0)
		return true;
	if (!filter || !topic)
		return !filter && !topic;
	size_t f = strcspn(filter, "/"), t = strcspn(topic, "/");
	if (!(f == 1 && filter[0] == '+') && (f != t || memcmp(filter, topic, f) != 0))
		return false;
	return naive_rest(filter[f] ? filter + f + 1 : NULL, topic[t] ? topic + t + 1 : NULL);
}

static inline bool naive_matches(const char *filter, const char *topic)
{
	if (topic[0] == '$' && (filter[0] == '+' || filter[0] == '#'))
		return false;
	return naive_rest(filter, topic);
}

/* xorshift64: the same numbers in each run. */
struct naive_random {
	uint64_t state; /* not 0 */
};

static inline uint32_t naive_below(struct naive_random *r, uint32_t bound)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return (uint32_t)((r->state >> 16) % bound);
}

/* A topic, or a filter; few levels, so that many match. Every `odds`th level is a wildcard, 0 for none. */
static inline void naive_text(struct naive_random *r, uint32_t odds, char out[128])
{
	static const char *const words[] = { "a", "b", "", "$x", "c", "a-level-longer-than-sixteen", "sixteen-bytes-16" };
	uint32_t levels = 1 + naive_below(r, 4), first = naive_below(r, 8) ? 0 : 3;
	size_t n = 0;

	out[0] = '\0';
	for (uint32_t i = 0; i < levels; i++) {
		const char *word = words[i == 0 && first ? first : naive_below(r, 7)];

		if (odds && naive_below(r, odds) == 0)
			word = i + 1 == levels && naive_below(r, 2) ? "#" : "+";
		n += (size_t)snprintf(out + n, 128 - n, "%s%s", i ? "/" : "", word);
	}
	/* One empty level is no topic [MQTT-4.7.3-1]. */
	if (n == 0)
		snprintf(out, 128, "/");
}

#endif
