/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt/mqtt_topic.h"

#define SHARE "$share/"
/* A byte in all eight of a word. */
#define EACH(byte) (0x0101010101010101u * (byte))

/* Not 0 when a byte of the word is 0. */
static uint64_t zero_byte(uint64_t word)
{
	return (word - EACH(1u)) & ~word & EACH(0x80u);
}

/* U+0000, '+' and '#' of a name, eight bytes at a time: every message passes here. */
static bool has_special(struct str name)
{
	size_t i = 0;

	for (; i + 8 <= name.n; i += 8) {
		uint64_t word;

		memcpy(&word, name.p + i, 8);
		if (zero_byte(word) | zero_byte(word ^ EACH((unsigned)'+')) | zero_byte(word ^ EACH((unsigned)'#')))
			return true;
	}
	for (; i < name.n; i++)
		if (name.p[i] == 0 || name.p[i] == '+' || name.p[i] == '#')
			return true;
	return false;
}

static bool has_byte(struct str s, char c)
{
	return s.n > 0 && memchr(s.p, c, s.n) != NULL;
}

static uint32_t count_levels(struct str topic)
{
	struct str level;
	uint32_t count = 0;

	while (mqtt_topic_next_level(&topic, &level))
		count++;
	return count;
}

enum mqtt_rule mqtt_topic_name_check(struct str name, unsigned levels_max)
{
	if (name.n == 0)
		return MQTT_RULE_TOPIC_EMPTY;
	if (name.n > MQTT_STRING_MAX)
		return MQTT_RULE_TOPIC_LONG;
	if (has_special(name))
		return has_byte(name, 0) ? MQTT_RULE_NUL : MQTT_RULE_TOPIC_WILDCARD;
	/* A short name need not be counted. */
	bool many = levels_max && name.n >= levels_max && count_levels(name) > levels_max;
	return many ? MQTT_RULE_TOPIC_LEVELS : MQTT_RULE_NONE;
}

/* "$share/group/filter": MQTT-4.8.2-1 and -2. "$share" alone is a filter like another. */
static enum mqtt_rule cut_group(struct mqtt_filter *f)
{
	size_t prefix = sizeof(SHARE) - 1;

	if (f->topic.n < prefix || memcmp(f->topic.p, SHARE, prefix) != 0)
		return MQTT_RULE_NONE;
	struct str rest = str_make(f->topic.p + prefix, f->topic.n - prefix);
	mqtt_topic_next_level(&rest, &f->group);
	if (f->group.n == 0)
		return MQTT_RULE_SHARE_NAME;
	if (has_byte(f->group, '+') || has_byte(f->group, '#') || rest.n == 0)
		return MQTT_RULE_SHARE_FILTER;
	f->topic = rest;
	return MQTT_RULE_NONE;
}

/* A wildcard is a whole level, and '#' the last one. */
static enum mqtt_rule check_wildcards(struct mqtt_filter *f)
{
	struct str rest = f->topic, level;

	f->wildcard = has_special(f->topic);
	if (!f->wildcard)
		return MQTT_RULE_NONE;
	while (mqtt_topic_next_level(&rest, &level)) {
		if (has_byte(level, '#') && (level.n > 1 || rest.p))
			return MQTT_RULE_FILTER_HASH;
		if (has_byte(level, '+') && level.n > 1)
			return MQTT_RULE_FILTER_PLUS;
	}
	return MQTT_RULE_NONE;
}

enum mqtt_rule mqtt_topic_filter_parse(struct str filter, unsigned levels_max, struct mqtt_filter *out)
{
	enum mqtt_rule rule;

	*out = (struct mqtt_filter){ .topic = filter };
	if (filter.n == 0)
		return MQTT_RULE_FILTER_EMPTY;
	if (filter.n > MQTT_STRING_MAX)
		return MQTT_RULE_TOPIC_LONG;
	if (has_byte(filter, 0))
		return MQTT_RULE_NUL;
	if ((rule = cut_group(out)) || (rule = check_wildcards(out)))
		return rule;
	out->levels = count_levels(out->topic);
	return levels_max && out->levels > levels_max ? MQTT_RULE_FILTER_LEVELS : MQTT_RULE_NONE;
}

bool mqtt_topic_next_level(struct str *rest, struct str *out)
{
	const char *slash;

	if (!rest->p)
		return false;
	slash = memchr(rest->p, '/', rest->n);
	*out = slash ? str_make(rest->p, (size_t)(slash - rest->p)) : *rest;
	*rest = slash ? str_make(slash + 1, rest->n - out->n - 1) : (struct str){ NULL, 0 };
	return true;
}

bool mqtt_topic_matches(struct str filter, struct str name)
{
	struct str want, level;

	if (name.n && name.p[0] == '$' && filter.n && (filter.p[0] == '+' || filter.p[0] == '#'))
		return false;
	while (mqtt_topic_next_level(&filter, &want)) {
		/* Also the level above: "sport/#" matches "sport". */
		if (str_eq(want, STR("#")))
			return true;
		if (!mqtt_topic_next_level(&name, &level))
			return false;
		if (!str_eq(want, STR("+")) && !str_eq(want, level))
			return false;
	}
	return !name.p;
}
