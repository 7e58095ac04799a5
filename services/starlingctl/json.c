/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/json.h"

#include <math.h>
#include <stdio.h>

/* Length of the valid UTF-8 sequence at p, 0 when there is none (overlong, surrogate, cut off). */
static size_t utf8_length(const unsigned char *p)
{
	static const unsigned char first_second[][3] = {
		{ 0xE0, 0xA0, 0xBF }, { 0xED, 0x80, 0x9F }, { 0xF0, 0x90, 0xBF }, { 0xF4, 0x80, 0x8F }
	};
	unsigned char low = 0x80, high = 0xBF;
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xC2 && p[0] <= 0xDF ? 2 : (p[0] & 0xF0) == 0xE0 ? 3 : p[0] >= 0xF0 && p[0] <= 0xF4 ? 4 : 0;

	for (unsigned i = 0; i < sizeof(first_second) / sizeof(first_second[0]); i++)
		if (p[0] == first_second[i][0]) {
			low = first_second[i][1];
			high = first_second[i][2];
		}
	for (size_t i = 1; i < n; i++) {
		if (p[i] < low || p[i] > high)
			return 0;
		low = 0x80;
		high = 0xBF;
	}
	return n;
}

static void quote(struct buf *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)(text ? text : "");

	buf_append_char(out, '"');
	while (*p) {
		size_t n = utf8_length(p);

		if (*p == '"' || *p == '\\') {
			buf_append_char(out, '\\');
			buf_append_char(out, (char)*p);
		} else if (*p < 0x20) {
			buf_printf(out, "\\u%04x", *p);
		} else if (n == 0) {
			buf_append_cstr(out, "\\ufffd");
		} else {
			buf_append(out, p, n);
		}
		p += n ? n : 1;
	}
	buf_append_char(out, '"');
}

static void begin(struct json *j, const char *key)
{
	if (j->comma)
		buf_append_char(&j->out, ',');
	j->comma = true;
	if (key) {
		quote(&j->out, key);
		buf_append_char(&j->out, ':');
	}
}

void json_open(struct json *j, const char *key, char bracket)
{
	begin(j, key);
	buf_append_char(&j->out, bracket);
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	buf_append_char(&j->out, bracket);
	j->comma = true;
}

void json_text(struct json *j, const char *key, const char *value)
{
	begin(j, key);
	quote(&j->out, value);
}

void json_number(struct json *j, const char *key, double value)
{
	begin(j, key);
	if (!isfinite(value))
		buf_append_cstr(&j->out, "null");
	else if (fabs(value) < 9007199254740992.0 && value == floor(value))
		buf_printf(&j->out, "%lld", (long long)value);
	else
		buf_printf(&j->out, "%.6g", value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin(j, key);
	buf_append_cstr(&j->out, value ? "true" : "false");
}

void json_print(struct json *j)
{
	struct str s = buf_str(&j->out);

	fwrite(s.p, 1, s.n, stdout);
	putchar('\n');
	buf_fini(&j->out);
	*j = (struct json){ 0 };
}
