/* SPDX-License-Identifier: Apache-2.0
 *
 * rules_parse: the text of the rule file. A line is a key and words behind it. */
#include "common/base/mem.h"
#include "common/mqtt/mqtt_topic.h"
#include "common/text/lines.h"
#include "common/xmpp/jid.h"
#include "services/mqtt-gateway/rules.h"
#include "services/mqtt-gateway/words.h"

#define WORDS      (RULE_USERS_MAX + 1) /* users and so many of them */
#define NAME_MAX_N 64u

struct parser {
	struct rules *out;
	const struct config_list *hosts;
	struct arena *arena; /* words of a line */
	struct lines lines;
	struct err *e;
};

static int wrong(struct parser *p, const char *text)
{
	return err_set(p->e, "line %u: %s", p->lines.number, text);
}

static char *text_of(struct str s)
{
	return mem_strndup(s.p ? s.p : "", s.n);
}

static struct rule *last(struct parser *p)
{
	return p->out->count > 0 ? &p->out->items[p->out->count - 1] : NULL;
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

/* The words behind the key. */
typedef int (*line_fn)(struct parser *p, struct rule *r, const struct str *words, size_t n);

static int on_filters(struct parser *p, struct rule *r, const struct str *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!mqtt_topic_filter_valid(words[i], 0))
			return wrong(p, "that is no topic filter");
		if (words[i].n >= 7 && memcmp(words[i].p, "$share/", 7) == 0)
			return wrong(p, "a shared subscription is not for a rule");
		if (r->topic_count == RULE_TOPICS_MAX)
			return wrong(p, "too many topics");
		r->topics[r->topic_count++] = text_of(words[i]);
	}
	return 0;
}

static bool is_host(const struct parser *p, struct str domain)
{
	for (size_t i = 0; i < p->hosts->count; i++) {
		if (str_is(domain, p->hosts->items[i]))
			return true;
	}
	return false;
}

/* The domain is the operator's, so that a device can choose an account here at most. */
static int on_to(struct parser *p, struct rule *r, const struct str *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = words[i].n;
		struct rule_address *a;
		struct jid jid = { 0 };
		const char *why;
		bool valid;

		while (at > 0 && words[i].p[at - 1] != '@')
			at--;
		if (at < 2 || at == words[i].n)
			return wrong(p, "to needs LOCALPART@DOMAIN");
		if (!is_host(p, str_make(words[i].p + at, words[i].n - at)))
			return wrong(p, "to needs an account of this server: one of hosts behind the @");
		if (r->to_count == RULE_TO_MAX)
			return wrong(p, "too many recipients");
		a = &r->to[r->to_count++];
		a->domain = text_of(str_make(words[i].p + at, words[i].n - at));
		why = template_parse(&a->local, str_make(words[i].p, at - 1), PIECES_OF_PUBLISH);
		if (why)
			return wrong(p, why);
		if (!template_fixed(&a->local))
			continue;
		valid = jid_make(str_make(words[i].p, at - 1), str_from(a->domain), STR(""), &jid) == JID_OK;
		jid_fini(&jid);
		if (!valid)
			return wrong(p, "to needs an address that is valid");
	}
	return 0;
}

static int set_address(struct parser *p, struct rule *r, struct str name)
{
	char local[JID_PART_MAX + 1];
	size_t n;

	if (jid_prep_local(name, local, &n) != JID_OK)
		return wrong(p, "that is no localpart of an address");
	mem_free(r->address);
	r->address = mem_strndup(local, n);
	return 0;
}

static int on_address(struct parser *p, struct rule *r, const struct str *words, size_t n)
{
	(void)n;
	return set_address(p, r, words[0]);
}

static int on_body(struct parser *p, struct rule *r, const struct str *words, size_t n)
{
	struct buf text = { 0 };
	const char *why;

	(void)n;
	if (str_is(words[0], "payload"))
		buf_append_cstr(&text, "$payload");
	else if (words[0].n > 5 && memcmp(words[0].p, "json:", 5) == 0)
		buf_printf(&text, "${%.*s}", (int)words[0].n - 5, words[0].p + 5);
	else
		buf_append_str(&text, words[0]);
	template_fini(&r->body);
	why = template_parse(&r->body, buf_str(&text), PIECES_OF_PUBLISH);
	buf_fini(&text);
	r->has_body = true;
	return why ? wrong(p, why) : 0;
}

static int on_subject(struct parser *p, struct rule *r, const struct str *words, size_t n)
{
	const char *why;

	(void)n;
	template_fini(&r->subject);
	why = template_parse(&r->subject, words[0], PIECES_OF_PUBLISH);
	r->has_subject = true;
	return why ? wrong(p, why) : 0;
}

static int on_type(struct parser *p, struct rule *r, const struct str *words, size_t n)
{
	(void)n;
	if (str_is(words[0], "chat"))
		r->type = STANZA_TYPE_CHAT;
	else if (str_is(words[0], "normal"))
		r->type = STANZA_TYPE_NONE;
	else if (str_is(words[0], "headline"))
		r->type = STANZA_TYPE_HEADLINE;
	else
		return wrong(p, "the type is chat, normal or headline");
	return 0;
}

static int on_qos(struct parser *p, struct rule *r, const struct str *words, size_t n)
{
	(void)n;
	if (!str_is(words[0], "0") && !str_is(words[0], "1"))
		return wrong(p, "the QoS is 0 or 1");
	r->qos = (uint8_t)(words[0].p[0] - '0');
	return 0;
}

static int on_users(struct parser *p, struct rule *r, const struct str *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool all = words[i].n > 0 && words[i].p[0] == '@', valid;
		struct jid jid = { 0 };
		struct buf text = { 0 };
		size_t length;

		valid = jid_parse(all ? str_make(words[i].p + 1, words[i].n - 1) : words[i], &jid) == JID_OK;
		if (!valid || jid.resource.n > 0 || (jid.local.n == 0) != all) {
			jid_fini(&jid);
			return wrong(p, "a user is LOCALPART@DOMAIN, or @DOMAIN for all of a domain");
		}
		if (all)
			buf_append_char(&text, '@');
		buf_append_str(&text, jid.bare);
		jid_fini(&jid);
		if (r->user_count == RULE_USERS_MAX) {
			buf_fini(&text);
			return wrong(p, "too many users");
		}
		r->users[r->user_count++] = buf_take(&text, &length);
	}
	return 0;
}

static int on_topic(struct parser *p, struct rule *r, const struct str *words, size_t n)
{
	const char *why;

	(void)n;
	template_fini(&r->topic);
	why = template_parse(&r->topic, words[0], PIECES_OF_STANZA);
	r->has_topic = true;
	if (why)
		return wrong(p, why);
	/* What is filled in is looked at when it is. */
	return mqtt_topic_name_valid(words[0], 0) ? 0 : wrong(p, "topic needs the name of a topic, without wildcards");
}

static int on_payload(struct parser *p, struct rule *r, const struct str *words, size_t n)
{
	(void)n;
	r->json = str_is(words[0], "json");
	return r->json || str_is(words[0], "body") ? 0 : wrong(p, "the payload is body or json");
}

static int on_retain(struct parser *p, struct rule *r, const struct str *words, size_t n)
{
	(void)n;
	r->retain = str_is(words[0], "yes");
	return r->retain || str_is(words[0], "no") ? 0 : wrong(p, "retain is yes or no");
}

static const struct key {
	const char *name;
	enum rule_kind kind;
	size_t most; /* words behind it; one at least */
	line_fn fn;
	const char *usage;
} keys[] = {
	{ "topic", RULE_TO_USER, RULE_TOPICS_MAX, on_filters, "topic FILTER ..." },
	{ "to", RULE_TO_USER, RULE_TO_MAX, on_to, "to LOCALPART@DOMAIN ..." },
	{ "from", RULE_TO_USER, 1, on_address, "from NAME" },
	{ "body", RULE_TO_USER, 1, on_body, "body payload|json:MEMBER|TEXT" },
	{ "subject", RULE_TO_USER, 1, on_subject, "subject TEXT" },
	{ "type", RULE_TO_USER, 1, on_type, "type chat|normal|headline" },
	{ "qos", RULE_TO_USER, 1, on_qos, "qos 0|1" },
	{ "name", RULE_TO_TOPIC, 1, on_address, "name NAME" },
	{ "users", RULE_TO_TOPIC, RULE_USERS_MAX, on_users, "users JID|@DOMAIN ..." },
	{ "topic", RULE_TO_TOPIC, 1, on_topic, "topic NAME" },
	{ "payload", RULE_TO_TOPIC, 1, on_payload, "payload body|json" },
	{ "qos", RULE_TO_TOPIC, 1, on_qos, "qos 0|1" },
	{ "retain", RULE_TO_TOPIC, 1, on_retain, "retain yes|no" },
};

/* --- rules -------------------------------------------------------------------------------------------------------- */

static unsigned wildcards(const char *filter)
{
	struct str rest = str_from(filter), level;
	unsigned n = 0;

	while (mqtt_topic_next_level(&rest, &level))
		n += str_is(level, "+") || str_is(level, "#");
	return n;
}

static int check_levels(struct parser *p, const struct rule *r)
{
	unsigned want = template_levels(&r->body), levels = template_levels(&r->subject);

	want = levels > want ? levels : want;
	for (size_t i = 0; i < r->to_count; i++) {
		levels = template_levels(&r->to[i].local);
		want = levels > want ? levels : want;
	}
	for (size_t i = 0; i < r->topic_count; i++) {
		if (wildcards(r->topics[i]) < want)
			return err_set(p->e, "rule %s has $%u, and %s has not so many wildcards", r->name, want, r->topics[i]);
	}
	return 0;
}

/* A rule that the next one, or the end of the file, ends. */
static int check(struct parser *p)
{
	struct rule *r = last(p);

	if (!r)
		return 0;
	if (r->kind == RULE_TO_USER && r->topic_count == 0)
		return err_set(p->e, "rule %s has no topic", r->name);
	if (r->kind == RULE_TO_USER && r->to_count == 0)
		return err_set(p->e, "rule %s has no to", r->name);
	if (r->kind == RULE_TO_TOPIC && !r->has_topic)
		return err_set(p->e, "rule %s has no topic", r->name);
	if (r->kind == RULE_TO_TOPIC && r->user_count == 0)
		return err_set(p->e, "rule %s has no users", r->name);
	if (r->kind == RULE_TO_USER && !r->has_body)
		template_parse(&r->body, STR("$payload"), PIECES_OF_PUBLISH);
	return check_levels(p, r);
}

static bool name_valid(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		bool letter = (s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'z', digit = s.p[i] >= '0' && s.p[i] <= '9';

		if (!letter && !digit && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.')
			return false;
	}
	return s.n > 0 && s.n <= NAME_MAX_N;
}

static int begin(struct parser *p, enum rule_kind kind, const struct str *words, size_t n)
{
	struct rules *all = p->out;

	if (n != 1 || !name_valid(words[0]))
		return wrong(p, "a rule's name is wanted, of letters, digits and - _ .");
	if (all->count == RULES_MAX)
		return wrong(p, "too many rules");
	for (size_t i = 0; i < all->count; i++) {
		if (str_is(words[0], all->items[i].name))
			return wrong(p, "a rule of this name was there before");
	}
	all->items = mem_realloc(all->items, (all->count + 1) * sizeof(*all->items));
	all->items[all->count++] = (struct rule){ .kind = kind, .name = text_of(words[0]), .qos = 1, .type = STANZA_TYPE_CHAT };
	return set_address(p, last(p), words[0]);
}

static int parse_key(struct parser *p, const struct str *words, size_t n)
{
	struct rule *r = last(p);

	if (!r)
		return wrong(p, "the first line is to-user NAME or to-topic NAME");
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (keys[i].kind != r->kind || !str_is(words[0], keys[i].name))
			continue;
		if (n < 2 || n - 1 > keys[i].most)
			return wrong(p, keys[i].usage);
		return keys[i].fn(p, r, words + 1, n - 1);
	}
	return err_set(p->e, "line %u: unknown word '%.*s' in a rule of this kind", p->lines.number, STR_ARG(words[0]));
}

static int parse_line(struct parser *p, struct str line)
{
	struct str words[WORDS];
	size_t n, at = 0;
	const char *why;

	/* A comment takes a line of its own: # is a filter, too. */
	while (at < line.n && (line.p[at] == ' ' || line.p[at] == '\t'))
		at++;
	if (at == line.n || line.p[at] == '#')
		return 0;
	arena_reset(p->arena);
	why = words_cut(p->arena, line, words, WORDS, &n);
	if (why)
		return wrong(p, why);
	if (str_is(words[0], "to-user") || str_is(words[0], "to-topic"))
		return check(p) < 0 ? -1 : begin(p, str_is(words[0], "to-user") ? RULE_TO_USER : RULE_TO_TOPIC, words + 1, n - 1);
	return parse_key(p, words, n);
}

static int parse(struct parser *p, struct str text)
{
	struct str line;

	p->lines.rest = text;
	while (lines_next(&p->lines, &line)) {
		if (!line_valid(line))
			return wrong(p, "not UTF-8");
		if (parse_line(p, line) < 0)
			return -1;
	}
	return check(p) < 0 ? -1 : p->out->count > 0 ? 0 : err_set(p->e, "there is no rule in it");
}

struct rules *rules_parse(struct str text, const struct config_list *hosts, struct err *e)
{
	struct rules *out = mem_new(struct rules);
	struct parser p = { .out = out, .hosts = hosts, .arena = arena_new(0), .e = e };

	if (parse(&p, text) < 0)
		rules_free(&out);
	arena_free(&p.arena);
	return out;
}
