/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/access.h"

#include "common/mqtt/mqtt_topic.h"

#include "services/mqtt-broker/access_rule.h"

static bool is_who(const struct mq_rule *r, const struct mq_access_who *who)
{
	switch (r->who) {
	case MQ_WHO_ALL:
		return true;
	case MQ_WHO_ANONYMOUS:
		return !who->account.p;
	case MQ_WHO_AUTHENTICATED:
		return who->account.p != NULL;
	default:
		return who->account.p && str_eq(r->user, memchr(r->user.p, '@', r->user.n) ? who->account : mq_access_user(who));
	}
}

/* Puts client identifier and user name into a level. False: the rule is for nobody of that name, since what it stands for would be more than a level. */
static bool expand(struct str level, const struct mq_access_who *who, struct str *out, char *room, size_t max)
{
	size_t n = 0;

	*out = level;
	if (level.n < 2 || !memchr(level.p, '%', level.n))
		return true;
	for (size_t i = 0; i < level.n; i++) {
		bool name = level.p[i] == '%' && i + 1 < level.n && (level.p[i + 1] == 'c' || level.p[i + 1] == 'u');
		struct str add = str_make(level.p + i, 1);

		if (name) {
			add = level.p[++i] == 'c' ? who->client : mq_access_user(who);
			for (size_t k = 0; k < add.n; k++) {
				if (strchr("/+#", add.p[k]))
					return false;
			}
			if (add.n == 0)
				return false;
		}
		if (add.n > max - n)
			return false;
		memcpy(room + n, add.p, add.n);
		n += add.n;
	}
	*out = str_make(room, n);
	return true;
}

/* Does the rule's filter take in all (cover) of what is asked for, or any of it? Of a topic name both are the same. */
static bool fits(const struct mq_rule *r, const struct mq_access_who *who, struct str topic, bool cover)
{
	struct str rule = r->filter, have, want;
	char room[512];

	for (;;) {
		bool more_rule = mqtt_topic_next_level(&rule, &have), more_topic = mqtt_topic_next_level(&topic, &want);

		if (more_rule && str_is(have, "#"))
			return true;
		/* What ends in # asks for its parent level, too (section 4.7.1.2). */
		if (more_topic && str_is(want, "#"))
			return !cover;
		if (!more_rule || !more_topic)
			return !more_rule && !more_topic;
		if (str_is(have, "+"))
			continue;
		if (str_is(want, "+")) {
			if (cover)
				return false;
			continue;
		}
		if (!expand(have, who, &have, room, sizeof(room)) || !str_eq(have, want))
			return false;
	}
}

bool mq_access_receives(const struct mq_access *a)
{
	return a->receives;
}

bool mq_access_allows(const struct mq_access *a, enum mq_access_what what, const struct mq_access_who *who, struct str topic)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct mq_rule *r = &a->rules[i];

		if (r->what & what && is_who(r, who) && fits(r, who, topic, r->allow))
			return r->allow;
	}
	return what == MQ_ACCESS_RECEIVE;
}
