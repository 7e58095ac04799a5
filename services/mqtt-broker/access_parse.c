/* SPDX-License-Identifier: Apache-2.0
 *
 * access_parse: the file of access rules. It is an operator's, read at start and on SIGHUP; errors name the line. */

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/mqtt/mqtt_topic.h"
#include "common/text/lines.h"
#include "services/mqtt-broker/access_rule.h"

#define FILE_MAX (4u << 20)
#define WORDS    5u

static const char built_in[] = "deny publish $SYS/#\nallow all #\n";

struct word {
	const char *name;
	unsigned value;
};

static const struct word actions[] = { { "allow", 1 }, { "deny", 0 }, { NULL, 0 } };
static const struct word whats[] = { { "publish", MQ_ACCESS_PUBLISH },
	                             { "subscribe", MQ_ACCESS_SUBSCRIBE },
	                             { "receive", MQ_ACCESS_RECEIVE },
	                             { "all", MQ_ACCESS_PUBLISH | MQ_ACCESS_SUBSCRIBE },
	                             { NULL, 0 } };
static const struct word whos[] = { { "everybody", MQ_WHO_ALL },
	                            { "anonymous", MQ_WHO_ANONYMOUS },
	                            { "authenticated", MQ_WHO_AUTHENTICATED },
	                            { "user", MQ_WHO_USER },
	                            { NULL, 0 } };

static bool look_up(const struct word *words, struct str name, unsigned *out)
{
	for (; words->name; words++) {
		if (str_is(name, words->name)) {
			*out = words->value;
			return true;
		}
	}
	return false;
}

/* Up to WORDS words; more count as one more. */
static size_t cut(struct str line, struct str words[WORDS])
{
	size_t count = 0, at = 0;

	while (at < line.n) {
		size_t start;

		while (at < line.n && (line.p[at] == ' ' || line.p[at] == '\t'))
			at++;
		start = at;
		while (at < line.n && line.p[at] != ' ' && line.p[at] != '\t')
			at++;
		if (at == start)
			break;
		if (count == WORDS)
			return WORDS + 1;
		words[count++] = str_make(line.p + start, at - start);
	}
	return count;
}

static const char *parse_line(struct str line, struct mq_rule *out)
{
	unsigned action, what, who = MQ_WHO_ALL;
	struct str words[WORDS];
	size_t n = cut(line, words);

	if (n < 3 || n > WORDS)
		return "a rule is: allow|deny publish|subscribe|receive|all FILTER [anonymous|authenticated|user NAME]";
	if (!look_up(actions, words[0], &action))
		return "the first word is neither allow nor deny";
	if (!look_up(whats, words[1], &what))
		return "the second word is none of publish, subscribe, receive and all";
	if (!mqtt_topic_filter_valid(words[2], 0))
		return "the third word is not a topic filter";
	if (words[2].n >= 7 && memcmp(words[2].p, "$share/", 7) == 0)
		return "a rule is for the filter of a shared subscription, without $share and its name";
	if (n > 3 && !look_up(whos, words[3], &who))
		return "the fourth word is none of everybody, anonymous, authenticated and user";
	if ((who == MQ_WHO_USER) != (n == 5))
		return "a name follows the word user, and no other";
	*out = (struct mq_rule){ .filter = words[2],
		                 .user = n == 5 ? words[4] : (struct str){ 0 },
		                 .what = (uint8_t)what,
		                 .who = (uint8_t)who,
		                 .allow = action != 0 };
	return NULL;
}

static bool is_rule(struct str line)
{
	size_t at = 0;

	while (at < line.n && (line.p[at] == ' ' || line.p[at] == '\t'))
		at++;
	/* A comment takes a line of its own: # is a filter, too. */
	return at < line.n && line.p[at] != '#';
}

static int parse(struct mq_access *a, size_t n, struct err *e)
{
	struct lines l = { .rest = str_make(a->text, n) };
	struct str line;
	size_t cap = 0;

	while (lines_next(&l, &line)) {
		const char *wrong;

		if (!line_valid(line))
			return err_set(e, "line %u: not UTF-8", l.number);
		if (!is_rule(line))
			continue;
		if (a->count == MQ_ACCESS_RULES_MAX)
			return err_set(e, "line %u: more than %u rules", l.number, MQ_ACCESS_RULES_MAX);
		if (a->count == cap) {
			cap = cap ? cap * 2 : 16;
			a->rules = mem_realloc(a->rules, cap * sizeof(*a->rules));
		}
		wrong = parse_line(line, &a->rules[a->count++]);
		if (wrong)
			return err_set(e, "line %u: %s", l.number, wrong);
		a->receives |= a->rules[a->count - 1].what == MQ_ACCESS_RECEIVE;
	}
	return 0;
}

struct mq_access *mq_access_parse(struct str text, struct err *e)
{
	struct mq_access *a = mem_new(struct mq_access);

	a->text = mem_strndup(text.p, text.n);
	if (parse(a, text.n, e) < 0)
		mq_access_free(&a);
	return a;
}

struct mq_access *mq_access_grants(struct str filters)
{
	struct mq_access *a = mem_new(struct mq_access);
	size_t count = 0, n;

	for (size_t i = 0; i < filters.n; i++)
		count += filters.p[i] == '\0';
	a->text = mem_strndup(filters.p ? filters.p : "", filters.n);
	a->rules = mem_zalloc((count + 1) * sizeof(*a->rules));
	for (size_t at = 0; at < filters.n; at += n + 1) {
		struct mq_rule *r = &a->rules[a->count++];

		n = strlen(a->text + at);
		r->what = a->text[at] == 'p' ? MQ_ACCESS_PUBLISH : MQ_ACCESS_SUBSCRIBE;
		r->filter = str_make(a->text + at + 1, n - 1);
		r->allow = true;
		if (!mqtt_topic_filter_valid(r->filter, 0)) {
			mq_access_free(&a);
			return NULL;
		}
	}
	return a;
}

struct mq_access *mq_access_load(const char *path, struct err *e)
{
	struct mq_access *a = NULL;
	struct buf text = { 0 };
	struct err why;

	if (!path || !path[0])
		return mq_access_parse(str_from(built_in), e);
	if (file_read(path, FILE_MAX, &text, &why) < 0) {
		err_set(e, "access rules %s", why.text);
	} else {
		a = mq_access_parse(buf_str(&text), &why);
		if (!a)
			err_set(e, "access rules %s, %s", path, why.text);
	}
	buf_fini(&text);
	return a;
}

void mq_access_free(struct mq_access **a)
{
	if (!*a)
		return;
	mem_free((*a)->text);
	mem_free((*a)->rules);
	mem_free(*a);
	*a = NULL;
}
