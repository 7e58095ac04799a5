/* SPDX-License-Identifier: Apache-2.0
 *
 * log_format: see log_format.h. */
#include "common/base/log_format.h"

#include "common/base/clock.h"

#define CTX_DEPTH_MAX 16

const char *log_level_name(enum log_level level)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	return names[level];
}

/* Length of the well-formed UTF-8 sequence at p (RFC 3629 section 4), 0 when there is none. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
	static const struct {
		unsigned char first, last, second_low, second_high, length;
	} rows[] = {
		{ 0x00, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (p[0] < rows[i].first || p[0] > rows[i].last)
			continue;
		if (rows[i].length == 1)
			return 1;
		if (n < rows[i].length || p[1] < rows[i].second_low || p[1] > rows[i].second_high)
			return 0;
		for (size_t k = 2; k < rows[i].length; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return rows[i].length;
	}
	return 0;
}

static void escape_char(struct buf *out, unsigned char c, bool json)
{
	switch (c) {
	case '\n':
		buf_append(out, "\\n", 2);
		return;
	case '\r':
		buf_append(out, "\\r", 2);
		return;
	case '\t':
		buf_append(out, "\\t", 2);
		return;
	case '"':
	case '\\':
		buf_append_char(out, '\\');
		buf_append_char(out, (char)c);
		return;
	default:
		buf_printf(out, json ? "\\u%04x" : "\\x%02x", c);
	}
}

/* quoted: also quotes and backslashes are escaped, as they must be between double quotes. */
static void escape(struct buf *out, struct str s, bool json, bool quoted)
{
	for (size_t i = 0; i < s.n;) {
		unsigned char c = (unsigned char)s.p[i];
		size_t n = utf8_length((const unsigned char *)s.p + i, s.n - i);
		if (n == 0) {
			/* JSON is UTF-8: a byte that is none becomes U+FFFD there. */
			if (json)
				buf_append_cstr(out, "\xef\xbf\xbd");
			else
				escape_char(out, c, false);
			i++;
		} else if (c < 0x20 || c == 0x7f || (quoted && (c == '"' || c == '\\'))) {
			escape_char(out, c, json);
			i++;
		} else {
			buf_append(out, s.p + i, n);
			i += n;
		}
	}
}

static bool plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '"' || s.p[i] == '=' || s.p[i] == '\\' || s.p[i] == 0x7f)
			return false;
	return s.n > 0;
}

static void json_string(struct buf *out, struct str s)
{
	buf_append_char(out, '"');
	escape(out, s, true, true);
	buf_append_char(out, '"');
}

static void json_member(struct buf *out, struct str key, struct str value)
{
	buf_append_char(out, ',');
	json_string(out, key);
	buf_append_char(out, ':');
	json_string(out, value);
}

static struct str ctx_value(const struct log_ctx *c, char hex[17])
{
	if (c->value)
		return str_from(c->value);
	struct buf b = { 0 };
	buf_printf(&b, "%llx", (unsigned long long)c->number);
	size_t n = b.n < 16 ? b.n : 16;
	memcpy(hex, b.p, n);
	buf_fini(&b);
	return str_make(hex, n);
}

/* The chain, outermost first, into at[]; its length is returned. */
static int ctx_chain(const struct log_ctx *ctx, const struct log_ctx *at[CTX_DEPTH_MAX])
{
	int depth = 0;

	for (const struct log_ctx *c = ctx; c && depth < CTX_DEPTH_MAX; c = c->parent)
		if (c->key)
			at[depth++] = c;
	for (int i = 0; i < depth / 2; i++) {
		const struct log_ctx *swap = at[i];
		at[i] = at[depth - 1 - i];
		at[depth - 1 - i] = swap;
	}
	return depth;
}

void log_format_text(struct buf *out, const struct log_line *line)
{
	char stamp[32], hex[17];
	const struct log_ctx *chain[CTX_DEPTH_MAX];

	clock_format_utc(line->wall_us, stamp);
	buf_printf(out, "%s %s ", stamp, log_level_name(line->level));
	if (line->role)
		buf_printf(out, "%s[%s] ", line->role, line->name ? line->name : "");
	escape(out, line->text, false, false);
	int depth = ctx_chain(line->ctx, chain);
	for (int i = 0; i < depth; i++) {
		struct str value = ctx_value(chain[i], hex);
		buf_printf(out, " %s=", chain[i]->key);
		if (plain(value)) {
			escape(out, value, false, false);
			continue;
		}
		buf_append_char(out, '"');
		escape(out, value, false, true);
		buf_append_char(out, '"');
	}
	buf_append_char(out, '\n');
}

/* One `key=value` or `key="value"` at the start of s, with a space or the end behind it; its whole length, 0 when there is none. */
static size_t field_at(struct str s, struct str *out_key, struct str *out_value)
{
	size_t k = 0;

	while (k < s.n && ((s.p[k] >= 'a' && s.p[k] <= 'z') || s.p[k] == '_' || (k > 0 && s.p[k] >= '0' && s.p[k] <= '9')))
		k++;
	if (k == 0 || k == s.n || s.p[k] != '=')
		return 0;
	*out_key = str_make(s.p, k);
	size_t v = k + 1;
	bool quoted = v < s.n && s.p[v] == '"';
	size_t end = quoted ? v + 1 : v;
	while (end < s.n && s.p[end] != (quoted ? '"' : ' '))
		end++;
	if (quoted && end == s.n)
		return 0;
	*out_value = quoted ? str_make(s.p + v + 1, end - v - 1) : str_make(s.p + v, end - v);
	end += quoted ? 1 : 0;
	return end == s.n || s.p[end] == ' ' ? end : 0;
}

/* Where the run of fields begins that reaches to the end of the text; text.n when there is none. */
static size_t fields_start(struct str text)
{
	for (size_t from = 0; from < text.n; from++) {
		if (from > 0 && text.p[from - 1] != ' ')
			continue;
		size_t at = from;
		struct str key, value;
		while (at < text.n) {
			size_t n = field_at(str_make(text.p + at, text.n - at), &key, &value);
			if (n == 0)
				break;
			at += n;
			if (at < text.n)
				at++;
		}
		if (at >= text.n)
			return from;
	}
	return text.n;
}

static bool is_taken(struct str key, const struct log_ctx *const *chain, int depth)
{
	static const char *const own[] = { "time", "level", "role", "name", "text" };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (str_is(key, own[i]))
			return true;
	for (int i = 0; i < depth; i++)
		if (str_is(key, chain[i]->key))
			return true;
	return false;
}

static void json_text(struct buf *out, struct str text, const struct log_ctx *const *chain, int depth)
{
	size_t start = fields_start(text);
	struct str event = str_make(text.p, start);

	while (event.n && event.p[event.n - 1] == ' ')
		event.n--;
	json_member(out, STR("text"), event);
	for (size_t at = start; at < text.n;) {
		struct str key = { 0 }, value = { 0 };
		size_t n = field_at(str_make(text.p + at, text.n - at), &key, &value);
		/* What a peer put into a value must not pass for a field that the log itself writes. */
		if (!is_taken(key, chain, depth))
			json_member(out, key, value);
		at += n + 1;
	}
}

void log_format_json(struct buf *out, const struct log_line *line)
{
	char stamp[32], hex[17];
	const struct log_ctx *chain[CTX_DEPTH_MAX];
	int depth = ctx_chain(line->ctx, chain);

	clock_format_utc(line->wall_us, stamp);
	buf_printf(out, "{\"time\":\"%s\",\"level\":\"%s\"", stamp, log_level_name(line->level));
	if (line->role) {
		json_member(out, STR("role"), str_from(line->role));
		json_member(out, STR("name"), str_from(line->name));
	}
	json_text(out, line->text, chain, depth);
	for (int i = 0; i < depth; i++)
		json_member(out, str_from(chain[i]->key), ctx_value(chain[i], hex));
	buf_append_cstr(out, "}\n");
}
