/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt_topic: topic names and topic filters (sections 4.7 and 4.8.2). mqtt_topic_matches is the plain meaning of a filter: an index of
 * subscriptions must agree with it. */
#ifndef COMMON_MQTT_MQTT_TOPIC_H
#define COMMON_MQTT_MQTT_TOPIC_H

#include "common/mqtt/mqtt_rule.h"

/* MQTT_RULE_NONE, or the rule that it breaks: empty, longer than MQTT_STRING_MAX, with U+0000, wildcards in a name, more levels than
 * levels_max (0: any). Levels may be empty. That it is UTF-8 is not checked: the reader of packets does that; elsewhere use utf8_valid. */
enum mqtt_rule mqtt_topic_name_check(struct str name, unsigned levels_max);

/* A filter taken apart: "$share/group/sport/#" has group "group" and topic "sport/#". Views into what was given. */
struct mqtt_filter {
	struct str topic; /* what names are matched against */
	struct str group; /* ShareName; empty: not a shared subscription */
	bool wildcard;    /* topic has '+' or '#' */
	uint32_t levels;  /* of topic */
};
/* Likewise for filters. *out is set when it is MQTT_RULE_NONE, or MQTT_RULE_FILTER_LEVELS. The levels of "$share/group" do not count. */
enum mqtt_rule mqtt_topic_filter_parse(struct str filter, unsigned levels_max, struct mqtt_filter *out);

static inline bool mqtt_topic_name_valid(struct str name, unsigned levels_max)
{
	return mqtt_topic_name_check(name, levels_max) == MQTT_RULE_NONE;
}

static inline bool mqtt_topic_filter_valid(struct str filter, unsigned levels_max)
{
	struct mqtt_filter f;

	return mqtt_topic_filter_parse(filter, levels_max, &f) == MQTT_RULE_NONE;
}

/* Does a valid filter (of a shared subscription: its `topic`) match a valid name? A leading wildcard does not match a name that begins
 * with '$' (MQTT-4.7.2-1); nothing is normalised (MQTT-4.7.3-4). */
bool mqtt_topic_matches(struct str filter, struct str name);

/* The next level; *rest begins as a name or filter, and is {NULL, 0} behind the last. False: there was none left. "a//b" has three, "/"
 * two. */
bool mqtt_topic_next_level(struct str *rest, struct str *out);

#endif
