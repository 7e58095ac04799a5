/* SPDX-License-Identifier: Apache-2.0 */
#include "common/text/json_read.h"

#include <stdlib.h>

#include "common/text/utf8.h"

#define NUMBER_MAX  32u
#define INTEGER_MAX 9007199254740992.0 /* 2^53: what all doubles below have exactly */

struct cursor {
	const char *p, *end;
};

static bool value(struct cursor *c, unsigned depth, struct json_value *out);

static void space(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
		c->p++;
}

static bool take(struct cursor *c, char want)
{
	if (c->p == c->end || *c->p != want)
		return false;
	c->p++;
	return true;
}

static bool digits(struct cursor *c)
{
	const char *start = c->p;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
		c->p++;
	return c->p > start;
}

/* Section 6. */
static bool number(struct cursor *c)
{
	take(c, '-');
	if (!take(c, '0') && !digits(c))
		return false;
	if (take(c, '.') && !digits(c))
		return false;
	if (take(c, 'e') || take(c, 'E')) {
		if (!take(c, '+'))
			take(c, '-');
		return digits(c);
	}
	return true;
}

/* Four hexadecimal digits; negative: they are not there. */
static int32_t hex4(struct cursor *c)
{
	int32_t v = 0;

	if (c->end - c->p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char ch = *c->p++;
		int d = ch >= '0' && ch <= '9'   ? ch - '0'
		        : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
		        : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
		                                 : -1;

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

/* Behind the backslash. Negative: no escape; half a surrogate pair is none (section 8.2). */
static int32_t escape(struct cursor *c)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	int32_t high, low;

	if (c->p == c->end)
		return -1;
	if (*c->p != 'u') {
		at = *c->p ? strchr(from, *c->p) : NULL;
		c->p++;
		return at ? to[at - from] : -1;
	}
	c->p++;
	high = hex4(c);
	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || !take(c, '\\') || !take(c, 'u'))
		return -1;
	low = hex4(c);
	return low >= 0xdc00 && low <= 0xdfff ? 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00) : -1;
}

static bool string(struct cursor *c)
{
	if (!take(c, '"'))
		return false;
	while (c->p < c->end) {
		unsigned char ch = (unsigned char)*c->p++;

		if (ch == '"')
			return true;
		if (ch < 0x20 || (ch == '\\' && escape(c) < 0))
			return false;
	}
	return false;
}

static bool array(struct cursor *c, unsigned depth)
{
	struct json_value item;

	space(c);
	if (take(c, ']'))
		return true;
	do {
		if (!value(c, depth, &item))
			return false;
	} while (take(c, ','));
	return take(c, ']');
}

/* A member's name and value; white space around both. */
static bool member(struct cursor *c, unsigned depth, struct json_value *name, struct json_value *out)
{
	space(c);
	name->type = JSON_STRING;
	name->text.p = c->p;
	if (!string(c))
		return false;
	name->text.n = (size_t)(c->p - name->text.p);
	space(c);
	return take(c, ':') && value(c, depth, out);
}

static bool object(struct cursor *c, unsigned depth)
{
	struct json_value name, item;

	space(c);
	if (take(c, '}'))
		return true;
	do {
		if (!member(c, depth, &name, &item))
			return false;
	} while (take(c, ','));
	return take(c, '}');
}

static bool word(struct cursor *c, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n) != 0)
		return false;
	c->p += n;
	return true;
}

static bool inside(struct cursor *c, unsigned depth, enum json_type *type)
{
	switch (*c->p) {
	case '"':
		*type = JSON_STRING;
		return string(c);
	case '{':
		c->p++;
		*type = JSON_OBJECT;
		return depth > 0 && object(c, depth - 1);
	case '[':
		c->p++;
		*type = JSON_ARRAY;
		return depth > 0 && array(c, depth - 1);
	case 't':
		*type = JSON_TRUE;
		return word(c, "true");
	case 'f':
		*type = JSON_FALSE;
		return word(c, "false");
	case 'n':
		*type = JSON_NULL;
		return word(c, "null");
	default:
		*type = JSON_NUMBER;
		return number(c);
	}
}

static bool value(struct cursor *c, unsigned depth, struct json_value *out)
{
	space(c);
	if (c->p == c->end)
		return false;
	out->text.p = c->p;
	if (!inside(c, depth, &out->type))
		return false;
	out->text.n = (size_t)(c->p - out->text.p);
	space(c);
	return true;
}

bool json_read(struct str text, struct json_value *out)
{
	struct cursor c = { text.p, text.p + text.n };

	return text.n > 0 && utf8_valid(text) && value(&c, JSON_DEPTH_MAX, out) && c.p == c.end;
}

static bool is_named(const struct json_value *have, const char *name)
{
	char text[128];

	return json_string(have, text, sizeof(text)) && strcmp(text, name) == 0;
}

enum json_found json_member(const struct json_value *object, const char *name, struct json_value *out)
{
	struct cursor c = { object->text.p + 1, object->text.p + object->text.n };
	enum json_found found = JSON_ABSENT;
	struct json_value have, item;

	if (object->type != JSON_OBJECT)
		return JSON_ABSENT;
	do {
		if (!member(&c, JSON_DEPTH_MAX, &have, &item))
			return found; /* an empty object */
		if (!is_named(&have, name))
			continue;
		if (found == JSON_FOUND)
			return JSON_TWICE;
		found = JSON_FOUND;
		*out = item;
	} while (take(&c, ','));
	return found;
}

bool json_item(const struct json_value *array, size_t *at, struct json_value *out)
{
	struct cursor c = { array->text.p + (*at ? *at : 1), array->text.p + array->text.n };

	if (array->type != JSON_ARRAY || !value(&c, JSON_DEPTH_MAX, out))
		return false;
	take(&c, ',');
	*at = (size_t)(c.p - array->text.p);
	return true;
}

static size_t encode(int32_t u, char out[4])
{
	if (u < 0x80) {
		out[0] = (char)u;
		return 1;
	}
	if (u < 0x800) {
		out[0] = (char)(0xc0 | u >> 6);
		out[1] = (char)(0x80 | (u & 63));
		return 2;
	}
	if (u < 0x10000) {
		out[0] = (char)(0xe0 | u >> 12);
		out[1] = (char)(0x80 | (u >> 6 & 63));
		out[2] = (char)(0x80 | (u & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | u >> 18);
	out[1] = (char)(0x80 | (u >> 12 & 63));
	out[2] = (char)(0x80 | (u >> 6 & 63));
	out[3] = (char)(0x80 | (u & 63));
	return 4;
}

bool json_string(const struct json_value *v, char *out, size_t n)
{
	struct cursor c = { v->text.p + 1, v->text.p + v->text.n - 1 };
	size_t at = 0;

	if (v->type != JSON_STRING)
		return false;
	while (c.p < c.end) {
		char one[4] = { *c.p++ };
		size_t size = 1;

		if (one[0] == '\\') {
			int32_t u = escape(&c);

			if (u <= 0)
				return false;
			size = encode(u, one);
		}
		if (at + size + 1 > n)
			return false;
		memcpy(out + at, one, size);
		at += size;
	}
	if (at + 1 > n)
		return false;
	out[at] = '\0';
	return true;
}

bool json_integer(const struct json_value *v, int64_t *out)
{
	char text[NUMBER_MAX];
	double d;

	if (v->type != JSON_NUMBER || v->text.n >= sizeof(text))
		return false;
	memcpy(text, v->text.p, v->text.n);
	text[v->text.n] = '\0';
	d = strtod(text, NULL);
	if (!(d >= -INTEGER_MAX && d <= INTEGER_MAX))
		return false;
	*out = (int64_t)d;
	return true;
}
