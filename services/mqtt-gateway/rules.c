/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-gateway/rules.h"

#include "common/base/mem.h"
#include "common/mqtt/mqtt_topic.h"
#include "common/xmpp/jid.h"

static void rule_fini(struct rule *r)
{
	mem_free(r->name);
	mem_free(r->address);
	for (size_t i = 0; i < r->topic_count; i++)
		mem_free(r->topics[i]);
	for (size_t i = 0; i < r->to_count; i++) {
		template_fini(&r->to[i].local);
		mem_free(r->to[i].domain);
	}
	for (size_t i = 0; i < r->user_count; i++)
		mem_free(r->users[i]);
	template_fini(&r->body);
	template_fini(&r->subject);
	template_fini(&r->topic);
}

void rules_free(struct rules **rules)
{
	struct rules *all = *rules;

	*rules = NULL;
	if (!all)
		return;
	for (size_t i = 0; i < all->count; i++)
		rule_fini(&all->items[i]);
	mem_free(all->items);
	mem_free(all);
}

struct rule *rules_for_topic(const struct rules *rules, struct str topic, struct str *out_filter)
{
	for (size_t i = 0; i < rules->count; i++) {
		struct rule *r = &rules->items[i];

		for (size_t k = 0; r->kind == RULE_TO_USER && k < r->topic_count; k++) {
			*out_filter = str_from(r->topics[k]);
			if (mqtt_topic_matches(*out_filter, topic))
				return r;
		}
	}
	return NULL;
}

void rules_captures(struct str filter, struct str name, struct str out[TEMPLATE_LEVELS])
{
	struct str want, level;
	unsigned n = 0;

	while (n < TEMPLATE_LEVELS && mqtt_topic_next_level(&filter, &want)) {
		struct str rest = name;

		if (!mqtt_topic_next_level(&name, &level))
			level = rest = str_make("", 0); /* "a/#" matches "a" (section 4.7.1.2) */
		if (str_is(want, "+"))
			out[n++] = level;
		else if (str_is(want, "#"))
			out[n++] = rest;
	}
}

/* A domain itself is no user. */
static bool allows(const struct rule *r, struct str from)
{
	for (size_t i = 0; jid_view_local(from).n > 0 && i < r->user_count; i++) {
		struct str user = str_from(r->users[i]);

		if (user.p[0] == '@' ? str_eq(jid_view_domain(from), str_make(user.p + 1, user.n - 1)) : str_eq(from, user))
			return true;
	}
	return false;
}

enum rules_verdict rules_for_name(const struct rules *rules, struct str name, struct str from, struct rule **out)
{
	enum rules_verdict verdict = RULES_UNKNOWN;

	for (size_t i = 0; i < rules->count; i++) {
		struct rule *r = &rules->items[i];

		if (!str_is(name, r->address))
			continue;
		if (r->kind == RULE_TO_TOPIC && allows(r, from)) {
			*out = r;
			return RULES_OK;
		}
		if (r->kind == RULE_TO_TOPIC)
			verdict = RULES_FORBIDDEN;
		else if (verdict == RULES_UNKNOWN)
			verdict = RULES_SILENT;
	}
	return verdict;
}

static bool writes_to(const struct rule *r, struct str domain)
{
	for (size_t i = 0; i < r->to_count; i++) {
		if (str_is(domain, r->to[i].domain))
			return true;
	}
	return false;
}

bool rules_visible(const struct rules *rules, struct str name, struct str from)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *r = &rules->items[i];

		if (str_is(name, r->address) && (r->kind == RULE_TO_TOPIC ? allows(r, from) : writes_to(r, jid_view_domain(from))))
			return true;
	}
	return false;
}

struct rule *rules_by_address(const struct rules *rules, enum rule_kind kind, struct str name)
{
	for (size_t i = 0; i < rules->count; i++) {
		if (rules->items[i].kind == kind && str_is(name, rules->items[i].address))
			return &rules->items[i];
	}
	return NULL;
}
