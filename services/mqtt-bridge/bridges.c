/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-bridge/bridges.h"

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/mqtt/mqtt_topic.h"
#include "common/text/lines.h"

#define WORDS      9u /* address and eight of them */
#define NAME_MAX_N 64u

struct parser {
	struct bridges *out;
	const char *folder, *host;
	const struct bridge_config *config;
	struct lines lines;
	struct err *e;
};

/* The words behind the key. */
typedef int (*line_fn)(struct parser *p, struct bridge *b, const struct str *words, size_t n);

static int wrong(struct parser *p, const char *text)
{
	return err_set(p->e, "line %u: %s", p->lines.number, text);
}

static char *text_of(struct str s)
{
	return mem_strndup(s.p ? s.p : "", s.n);
}

static void set_text(char **to, struct str s)
{
	mem_free(*to);
	*to = text_of(s);
}

static void set_path(struct parser *p, char **to, struct str s)
{
	struct buf b = { 0 };
	size_t n;

	if (s.n > 0 && s.p[0] != '/')
		buf_printf(&b, "%s/", p->folder);
	buf_append_str(&b, s);
	mem_free(*to);
	*to = buf_take(&b, &n);
}

static bool number(struct str s, unsigned low, unsigned high, unsigned *out)
{
	unsigned value = 0;

	if (s.n == 0 || s.n > 6)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		value = value * 10 + (unsigned)(s.p[i] - '0');
	}
	*out = value;
	return value >= low && value <= high;
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

static int on_address(struct parser *p, struct bridge *b, const struct str *words, size_t n)
{
	struct err why;

	for (size_t i = 0; i < n; i++) {
		if (mqtt_party_add_address(&b->remote, words[i], &why) < 0)
			return wrong(p, why.text);
	}
	return 0;
}

static int on_protocol(struct parser *p, struct bridge *b, const struct str *words, size_t n)
{
	(void)n;
	if (!str_is(words[0], "5") && !str_is(words[0], "3.1.1"))
		return wrong(p, "the protocol is 5 or 3.1.1");
	b->remote.version = str_is(words[0], "5") ? MQTT_5 : MQTT_3_1_1;
	return 0;
}

static int on_client_id(struct parser *p, struct bridge *b, const struct str *words, size_t n)
{
	(void)p;
	(void)n;
	set_text(&b->remote.id, words[0]);
	return 0;
}

static int on_user(struct parser *p, struct bridge *b, const struct str *words, size_t n)
{
	(void)n;
	set_text(&b->remote.user, words[0]);
	set_path(p, &b->remote.password_file, words[1]);
	return 0;
}

static int on_local_user(struct parser *p, struct bridge *b, const struct str *words, size_t n)
{
	(void)n;
	set_text(&b->ours.user, words[0]);
	set_path(p, &b->ours.password_file, words[1]);
	return 0;
}

static int on_tls(struct parser *p, struct bridge *b, const struct str *words, size_t n)
{
	b->remote.tls = b->remote.verify = true;
	if (str_is(words[0], "unverified") && n > 1)
		return wrong(p, "a name is not looked at where nothing is verified");
	if (str_is(words[0], "unverified"))
		b->remote.verify = false;
	else if (str_is(words[0], MQTT_PARTY_SYSTEM))
		set_text(&b->remote.trust, words[0]);
	else
		set_path(p, &b->remote.trust, words[0]);
	if (n > 1)
		set_text(&b->remote.name, words[1]);
	return 0;
}

static int on_certificate(struct parser *p, struct bridge *b, const struct str *words, size_t n)
{
	(void)n;
	set_path(p, &b->remote.certificate, words[0]);
	return 0;
}

static int on_keepalive(struct parser *p, struct bridge *b, const struct str *words, size_t n)
{
	unsigned seconds;

	(void)n;
	if (!number(words[0], 5, 65535, &seconds))
		return wrong(p, "keepalive is a number of seconds from 5 to 65535");
	b->remote.keep_alive_s = (uint16_t)seconds;
	return 0;
}

static int on_state(struct parser *p, struct bridge *b, const struct str *words, size_t n)
{
	(void)n;
	if (!mqtt_topic_name_valid(words[0], 0))
		return wrong(p, "state needs the name of a topic");
	set_text(&b->state_topic, words[0]);
	return 0;
}

static int on_topic(struct parser *p, struct bridge *b, const struct str *words, size_t n)
{
	bool out = str_is(words[1], "out"), in = str_is(words[1], "in"), both = str_is(words[1], "both");
	bool goes[WAYS] = { out || both, in || both };
	struct str none = str_make("", 0);
	const char *why;
	unsigned qos;

	if (!out && !in && !both)
		return wrong(p, "a topic's direction is out, in or both");
	if (!number(words[2], 0, 2, &qos))
		return wrong(p, "a topic's QoS is 0, 1 or 2");
	why = rules_add(&b->rules, words[0], goes, qos, n > 3 ? words[3] : none, n > 4 ? words[4] : none);
	return why ? wrong(p, why) : 0;
}

static const struct key {
	const char *name;
	unsigned low, high; /* words behind it */
	line_fn fn;
	const char *usage;
} keys[] = {
	{ "address", 1, MQTT_PARTY_ADDRESSES_MAX, on_address, "address HOST:PORT ..." },
	{ "protocol", 1, 1, on_protocol, "protocol 5|3.1.1" },
	{ "client-id", 1, 1, on_client_id, "client-id IDENTIFIER" },
	{ "user", 2, 2, on_user, "user NAME PASSWORD-FILE" },
	{ "local-user", 2, 2, on_local_user, "local-user NAME PASSWORD-FILE" },
	{ "tls", 1, 2, on_tls, "tls system|unverified|FILE [NAME]" },
	{ "certificate", 1, 1, on_certificate, "certificate NAME.pem" },
	{ "keepalive", 1, 1, on_keepalive, "keepalive SECONDS" },
	{ "state", 1, 1, on_state, "state TOPIC" },
	{ "topic", 3, 5, on_topic, "topic FILTER out|in|both QOS [LOCAL-PREFIX [REMOTE-PREFIX]]" },
};

/* --- bridges ------------------------------------------------------------------------------------------------------ */

static int set_ours(struct parser *p, struct mqtt_party *ours)
{
	const struct bridge_config *c = p->config;
	struct mqtt_party_local local = { .address = c->address, .trust = c->trust, .name = c->name, .user = c->user, .tls = c->tls };

	local.password_file = c->password_file;
	return mqtt_party_set_local(ours, &local, p->host, p->e);
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

static int begin(struct parser *p, const struct str *words, size_t n)
{
	struct bridges *all = p->out;
	struct bridge *b;
	struct buf id = { 0 };
	size_t id_n;

	if (n != 1 || !name_valid(words[0]))
		return wrong(p, "bridge NAME is wanted, of letters, digits and - _ .");
	if (all->count == BRIDGES_MAX)
		return wrong(p, "too many bridges");
	for (size_t i = 0; i < all->count; i++) {
		if (str_is(words[0], all->items[i].name))
			return wrong(p, "a bridge of this name was there before");
	}
	all->items = mem_realloc(all->items, (all->count + 1) * sizeof(*all->items));
	b = &all->items[all->count++];
	*b = (struct bridge){ .name = text_of(words[0]) };
	b->remote.version = MQTT_5;
	b->remote.keep_alive_s = MQTT_PARTY_KEEP_ALIVE_S;
	buf_printf(&id, "%s.%s", p->host, b->name);
	b->remote.id = buf_take(&id, &id_n);
	b->ours.id = mem_strdup(b->remote.id);
	return set_ours(p, &b->ours);
}

/* A bridge that the next one, or the end of the file, ends. */
static int check(struct parser *p)
{
	const struct bridge *b = p->out->count > 0 ? &p->out->items[p->out->count - 1] : NULL;

	if (!b)
		return 0;
	if (b->remote.address_count == 0)
		return err_set(p->e, "bridge %s has no address", b->name);
	if (b->rules.count == 0)
		return err_set(p->e, "bridge %s has no topic", b->name);
	if (b->remote.certificate && !b->remote.tls)
		return err_set(p->e, "bridge %s has a certificate, and no tls", b->name);
	return 0;
}

/* Up to WORDS words; more count as one more. Two quotes are an empty one. */
static size_t cut(struct str line, struct str words[WORDS + 1])
{
	size_t count = 0, at = 0;

	while (at < line.n && count <= WORDS) {
		size_t start;

		while (at < line.n && (line.p[at] == ' ' || line.p[at] == '\t'))
			at++;
		start = at;
		while (at < line.n && line.p[at] != ' ' && line.p[at] != '\t')
			at++;
		if (at == start)
			break;
		words[count] = str_make(line.p + start, at - start);
		if (str_is(words[count], "\"\""))
			words[count].n = 0;
		count++;
	}
	return count;
}

static int parse_line(struct parser *p, struct str line)
{
	struct str words[WORDS + 1];
	size_t n = cut(line, words);

	/* A comment takes a line of its own: # is a filter, too. */
	if (n == 0 || words[0].n == 0 || words[0].p[0] == '#')
		return 0;
	if (str_is(words[0], "bridge"))
		return check(p) < 0 ? -1 : begin(p, words + 1, n - 1);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (!str_is(words[0], keys[i].name))
			continue;
		if (p->out->count == 0)
			return wrong(p, "the first line is bridge NAME");
		if (n - 1 < keys[i].low || n - 1 > keys[i].high)
			return wrong(p, keys[i].usage);
		return keys[i].fn(p, &p->out->items[p->out->count - 1], words + 1, n - 1);
	}
	return err_set(p->e, "line %u: unknown word '%.*s'", p->lines.number, STR_ARG(words[0]));
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
	return check(p) < 0 ? -1 : p->out->count > 0 ? 0 : err_set(p->e, "there is no bridge in it");
}

struct bridges *bridges_parse(struct str text, const char *folder, const struct bridge_config *config, const char *host, struct err *e)
{
	struct bridges *out = mem_new(struct bridges);
	struct parser p = { .out = out, .folder = folder, .host = host, .config = config, .e = e };

	if (parse(&p, text) < 0)
		bridges_free(&out);
	return out;
}
