/* SPDX-License-Identifier: Apache-2.0
 *
 * One line of external.services: words, their values, what they mean together. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/net/addr.h"
#include "common/text/utf8.h"
#include "services/session-manager/external_service.h"
#include "services/session-manager/turn_credentials.h"

#define TURN_SECRETS "turn.secrets"
#define VALUE_MAX    255 /* bytes: of a host name, and enough for the rest */

/* What is read before it is known what it means together. */
struct reading {
	struct arena *arena;
	struct external_service *out;
	struct err *e;
	struct str secret_file, password_file;
	int restricted; /* -1: not said */
};

/* --- what clients know without being told (RFC 5389 section 9, RFC 5766 section 6.1) --- */

static const struct {
	const char *type;
	uint16_t port;
	const char *transport;
	bool relay;
} known[] = {
	{ "stun", 3478, "udp", false },
	{ "stuns", 5349, "tcp", false },
	{ "turn", 3478, "udp", true },
	{ "turns", 5349, "tcp", true },
};

/* --- values --- */

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* An NCName of ASCII: XEP-0215 section 9. */
static int read_type(struct reading *r, struct str value)
{
	bool ok = letter(value.p[0]);

	for (size_t i = 1; i < value.n && ok; i++)
		ok = letter(value.p[i]) || digit(value.p[i]) || value.p[i] == '-' || value.p[i] == '.' || value.p[i] == '_';
	r->out->type = value;
	return ok ? 0 : err_set(r->e, "type: a word is needed, such as turn");
}

/* A name of letters, digits, hyphens and dots, or a numeric address without brackets. */
static int read_host(struct reading *r, struct str value)
{
	struct sockaddr_storage address;
	socklen_t n;
	bool ok = !str_is(value, ".") && value.p[0] != '-' && value.p[0] != '.';

	r->out->host = value;
	r->out->of_flock = str_is(value, "*");
	if (r->out->of_flock || net_addr_parse(value.p, 0, &address, &n, NULL) == 0)
		return 0;
	for (size_t i = 0; i < value.n && ok; i++)
		ok = letter(value.p[i]) || digit(value.p[i]) || value.p[i] == '-' || value.p[i] == '.';
	return ok ? 0 : err_set(r->e, "host: a domain name (in ASCII) or a numeric address is needed");
}

static int read_port(struct reading *r, struct str value)
{
	char *end;
	unsigned long port = digit(value.p[0]) ? strtoul(value.p, &end, 10) : 0;

	if (port == 0 || port > 65535 || *end)
		return err_set(r->e, "port: a number from 1 to 65535 is needed");
	r->out->port = (uint16_t)port;
	return 0;
}

static int read_transport(struct reading *r, struct str value)
{
	r->out->transport = value;
	return str_is(value, "udp") || str_is(value, "tcp") ? 0 : err_set(r->e, "transport: udp or tcp is needed");
}

static int read_restricted(struct reading *r, struct str value)
{
	r->restricted = str_is(value, "true");
	return r->restricted || str_is(value, "false") ? 0 : err_set(r->e, "restricted: true or false is needed");
}

static int read_username(struct reading *r, struct str value)
{
	r->out->username = value;
	return 0;
}

static int read_secret_file(struct reading *r, struct str value)
{
	r->secret_file = value;
	return 0;
}

static int read_password_file(struct reading *r, struct str value)
{
	r->password_file = value;
	return 0;
}

/* name, and name.LANG */
static int read_name(struct reading *r, struct str lang, struct str value)
{
	struct external_service *s = r->out;

	for (uint32_t i = 0; i < s->name_count; i++) {
		if (str_eq(s->names[i].lang, lang))
			return err_set(r->e, "name: twice for the same language");
	}
	if (s->name_count == EXTERNAL_SERVICE_NAMES_MAX)
		return err_set(r->e, "name: at most %d languages", EXTERNAL_SERVICE_NAMES_MAX);
	s->names[s->name_count].lang = lang;
	s->names[s->name_count++].text = value;
	return 0;
}

static const struct {
	const char *key;
	int (*read)(struct reading *r, struct str value);
} keys[] = {
	{ "type", read_type },
	{ "host", read_host },
	{ "port", read_port },
	{ "transport", read_transport },
	{ "restricted", read_restricted },
	{ "username", read_username },
	{ "secret_file", read_secret_file },
	{ "password_file", read_password_file },
};
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

/* --- words --- */

/* Takes one word from the front of the line. 1, 0 at the end, -1 with e set. */
static int next_word(struct reading *r, struct str *line, struct str *out_key, struct str *out_value)
{
	size_t at = 0, start, end;
	bool quoted;

	while (at < line->n && (line->p[at] == ' ' || line->p[at] == '\t'))
		at++;
	if (at == line->n)
		return 0;
	start = at;
	while (at < line->n && line->p[at] != '=' && line->p[at] != ' ')
		at++;
	if (at == line->n || line->p[at] != '=' || at == start)
		return err_set(r->e, "key=value is needed at '%.*s'", (int)(line->n - start), line->p + start);
	*out_key = arena_str(r->arena, str_make(line->p + start, at - start));
	quoted = ++at < line->n && line->p[at] == '"';
	start = at += quoted;
	while (at < line->n && (quoted ? line->p[at] != '"' : line->p[at] != ' '))
		at++;
	end = at;
	if (quoted && at == line->n)
		return err_set(r->e, "%s: a closing quote is missing", out_key->p);
	at += quoted;
	if (end == start || end - start > VALUE_MAX)
		return err_set(r->e, "%s: a value of 1 to %d bytes is needed", out_key->p, VALUE_MAX);
	*out_value = arena_str(r->arena, str_make(line->p + start, end - start));
	*line = str_make(line->p + at, line->n - at);
	return 1;
}

static int read_word(struct reading *r, struct str key, struct str value, uint32_t *seen)
{
	if (str_is(key, "name"))
		return read_name(r, STR(""), value);
	if (key.n > 5 && memcmp(key.p, "name.", 5) == 0)
		return read_name(r, str_make(key.p + 5, key.n - 5), value);
	for (uint32_t i = 0; i < KEY_COUNT; i++) {
		if (!str_is(key, keys[i].key))
			continue;
		if (*seen & 1u << i)
			return err_set(r->e, "%s: twice", keys[i].key);
		*seen |= 1u << i;
		return keys[i].read(r, value);
	}
	return err_set(r->e, "there is no '%s'; type, host, port, transport, name, restricted, username, password_file, secret_file",
	               key.p);
}

/* --- what they mean together --- */

static int load_secret(struct reading *r, struct str file, const char *keys_dir)
{
	char path[4096], secret[TURN_SECRET_MAX + 1];
	int rc;

	if (snprintf(path, sizeof(path), "%s%s%s", file.p[0] == '/' ? "" : keys_dir, file.p[0] == '/' ? "" : "/", file.p) >=
	    (int)sizeof(path))
		return err_set(r->e, "%s: too long a path", file.p);
	rc = turn_secret_load(path, secret, r->e);
	if (rc == 0)
		r->out->secret = arena_str(r->arena, str_from(secret));
	mem_wipe(secret, sizeof(secret));
	return rc;
}

static int settle_credentials(struct reading *r, bool relay, const char *keys_dir)
{
	struct external_service *s = r->out;
	bool own = r->secret_file.n || r->password_file.n || s->username.n;

	if (r->restricted == 0 && own)
		return err_set(r->e, "restricted=false, and yet credentials");
	if (r->restricted == 0 || (!own && !relay && r->restricted < 0))
		return 0;
	if (r->secret_file.n && (r->password_file.n || s->username.n))
		return err_set(r->e, "secret_file, or username and password_file: not both");
	if (!r->password_file.n != !s->username.n)
		return err_set(r->e, "username and password_file go together");
	s->credentials = s->username.n ? EXTERNAL_FIXED : EXTERNAL_SHARED;
	if (s->username.n)
		return load_secret(r, r->password_file, keys_dir);
	return load_secret(r, r->secret_file.n ? r->secret_file : STR(TURN_SECRETS), keys_dir);
}

static int settle(struct reading *r, const char *keys_dir)
{
	struct external_service *s = r->out;
	bool relay = false;

	if (!s->type.n || !s->host.n)
		return err_set(r->e, "type and host are needed");
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!str_is(s->type, known[i].type))
			continue;
		relay = known[i].relay;
		if (!s->port && !s->of_flock)
			s->port = known[i].port;
		if (!s->transport.n)
			s->transport = str_from(known[i].transport);
	}
	return settle_credentials(r, relay, keys_dir);
}

int external_service_parse(struct arena *arena, struct str line, const char *keys_dir, struct external_service *out, struct err *e)
{
	struct err why = { "" };
	struct reading r = { .arena = arena, .out = out, .e = &why, .restricted = -1 };
	struct str rest = line, key = STR(""), value = STR("");
	uint32_t seen = 0;
	int rc;

	memset(out, 0, sizeof(*out));
	if (!utf8_valid(line))
		return err_set(e, "external.services: not UTF-8");
	while ((rc = next_word(&r, &rest, &key, &value)) > 0) {
		if (read_word(&r, key, value, &seen) != 0)
			return err_set(e, "external.services: %s", why.text);
	}
	if (rc < 0 || settle(&r, keys_dir) != 0)
		return err_set(e, "external.services: %s", why.text);
	return 0;
}
