/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-bridge/rules.h"

#include "common/base/mem.h"
#include "common/mqtt/mqtt_topic.h"
#include "common/text/utf8.h"

static bool prefix_valid(struct str s)
{
	return s.n == 0 || (utf8_valid(s) && mqtt_topic_name_valid(s, 0));
}

static char *join(struct str prefix, struct str filter)
{
	struct buf b = { 0 };
	size_t n;

	buf_append_str(&b, prefix);
	buf_append_str(&b, filter);
	return buf_take(&b, &n);
}

const char *rules_add(struct rules *rules, struct str filter, const bool goes[WAYS], unsigned qos, struct str local, struct str remote)
{
	struct str prefixes[WAYS] = { local, remote };
	struct rule r = { .qos = (uint8_t)qos, .goes = { goes[WAY_OUT], goes[WAY_IN] } };
	bool valid = true;

	if (rules->count == RULES_MAX)
		return "too many topics";
	if (!prefix_valid(local) || !prefix_valid(remote))
		return "a prefix is the beginning of a topic name, without wildcards";
	if (!utf8_valid(filter) || !mqtt_topic_filter_valid(filter, 0))
		return "that is no topic filter";
	if (filter.n >= 7 && memcmp(filter.p, "$share/", 7) == 0)
		return "shared subscriptions do not go over a bridge";
	r.filter = mem_strndup(filter.p, filter.n);
	for (unsigned w = 0; w < WAYS; w++) {
		r.prefixes[w] = mem_strndup(prefixes[w].p ? prefixes[w].p : "", prefixes[w].n);
		r.from[w] = join(prefixes[w], filter);
		valid = valid && mqtt_topic_filter_valid(str_from(r.from[w]), 0);
	}
	rules->items = mem_realloc(rules->items, (rules->count + 1) * sizeof(r));
	rules->items[rules->count++] = r;
	return valid ? NULL
	             : "prefix and filter together are no topic filter: a prefix ends with a slash where the filter begins with a wildcard";
}

void rules_fini(struct rules *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		mem_free(rules->items[i].filter);
		for (unsigned w = 0; w < WAYS; w++) {
			mem_free(rules->items[i].prefixes[w]);
			mem_free(rules->items[i].from[w]);
		}
	}
	mem_free(rules->items);
	*rules = (struct rules){ 0 };
}

/* From names at the side where `way` begins to those where it ends, by the rules for messages that go `goes`. */
static bool map(const struct rules *rules, enum way goes, enum way way, struct str topic, struct buf *out)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *r = &rules->items[i];
		size_t cut = strlen(r->prefixes[way]);

		if (!r->goes[goes] || !mqtt_topic_matches(str_from(r->from[way]), topic))
			continue;
		/* "site/#" matches "site", too, which is shorter than the prefix. */
		if (topic.n < cut)
			continue;
		size_t before = out->n;
		buf_append_cstr(out, r->prefixes[way ^ 1]);
		buf_append_str(out, str_make(topic.p + cut, topic.n - cut));
		if (!out->overflow && mqtt_topic_name_valid(str_make(out->p + before, out->n - before), 0))
			return true;
		out->n = before;
	}
	return false;
}

bool rules_map(const struct rules *rules, enum way way, struct str topic, struct buf *out)
{
	return map(rules, way, way, topic, out);
}

bool rules_map_answer(const struct rules *rules, enum way way, struct str topic, struct buf *out)
{
	return map(rules, way == WAY_OUT ? WAY_IN : WAY_OUT, way, topic, out);
}

/* Is there a name that both filters match? "#" stands for its parent as well (4.7.1.2). */
static bool meet(struct str a, struct str b)
{
	struct str x, y;

	for (;;) {
		bool more_a = mqtt_topic_next_level(&a, &x), more_b = mqtt_topic_next_level(&b, &y);

		if ((more_a && str_is(x, "#")) || (more_b && str_is(y, "#")))
			return true;
		if (!more_a || !more_b)
			return more_a == more_b;
		if (!str_is(x, "+") && !str_is(y, "+") && !str_eq(x, y))
			return false;
	}
}

bool rules_circle(const struct rules *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		/* from[WAY_IN] is the remote name of the rule's topics in both directions. */
		for (size_t k = 0; rules->items[i].goes[WAY_OUT] && k < rules->count; k++) {
			if (rules->items[k].goes[WAY_IN] &&
			    meet(str_from(rules->items[i].from[WAY_IN]), str_from(rules->items[k].from[WAY_IN])))
				return true;
		}
	}
	return false;
}
