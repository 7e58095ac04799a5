/* SPDX-License-Identifier: Apache-2.0
 *
 * config_value: see config_value.h. */
#include "common/daemon/config_value.h"

#include <ctype.h>
#include <stdio.h>

#include "common/base/mem.h"

struct unit {
	const char *name;
	int64_t factor;
};

/* Largest first: that is how numbers are printed. */
static const struct unit durations[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 }, { NULL, 0 } };
static const struct unit sizes[] = { { "GiB", 1 << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 }, { "", 1 }, { NULL, 0 } };

/* Digits and a unit; returns -1 unless the unit is in the table and the product fits. */
static int parse_units(const char *text, const struct unit *units, int64_t *out)
{
	int64_t n = 0;
	const char *p = text;

	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
			return -1;
	if (p == text)
		return -1;
	for (const struct unit *u = units; u->name; u++) {
		if (strcmp(p, u->name) == 0) {
			if (__builtin_mul_overflow(n, u->factor, &n))
				return -1;
			*out = n;
			return 0;
		}
	}
	return -1;
}

int config_parse_duration(const char *text, int64_t *out_ms)
{
	/* Nothing needs no unit. */
	if (strcmp(text, "0") == 0) {
		*out_ms = 0;
		return 0;
	}
	return parse_units(text, durations, out_ms);
}

int config_parse_size(const char *text, int64_t *out_bytes)
{
	return parse_units(text, sizes, out_bytes);
}

static int parse_int(const char *text, int64_t *out)
{
	static const struct unit none[] = { { "", 1 }, { NULL, 0 } };
	bool negative = text[0] == '-';

	if (parse_units(text + negative, none, out) < 0)
		return -1;
	if (negative)
		*out = -*out;
	return 0;
}

static void write_number(enum config_type type, int64_t n, struct buf *out)
{
	const struct unit *u = type == CONFIG_DURATION ? durations : sizes;

	if (type == CONFIG_INT || n == 0) {
		buf_printf(out, "%lld", (long long)n);
		return;
	}
	while (u[1].name && n % u->factor)
		u++;
	buf_printf(out, "%lld%s", (long long)(n / u->factor), u->name);
}

static void *at(const struct config_option *o, void *base)
{
	return (char *)base + o->offset;
}

static const void *at_const(const struct config_option *o, const void *base)
{
	return (const char *)base + o->offset;
}

static int set_number(const struct config_option *o, void *base, const char *text, struct err *e)
{
	static const struct {
		int (*parse)(const char *, int64_t *);
		const char *must;
	} kinds[] = {
		[CONFIG_INT] = { parse_int, "a whole number" },
		[CONFIG_DURATION] = { config_parse_duration, "a duration with its unit, such as 250ms, 30s, 5m, 2h or 7d" },
		[CONFIG_SIZE] = { config_parse_size, "a size in bytes, such as 512, 64KiB, 1MiB or 2GiB" },
	};
	int64_t n;

	if (kinds[o->type].parse(text, &n) < 0)
		return err_set(e, "must be %s, not '%s'", kinds[o->type].must, text);
	if ((o->min || o->max) && (n < o->min || n > o->max)) {
		struct buf range = { 0 };
		write_number(o->type, o->min, &range);
		buf_append_cstr(&range, " to ");
		write_number(o->type, o->max, &range);
		err_set(e, "must be in the range %.*s, not %s", STR_ARG(buf_str(&range)), text);
		buf_fini(&range);
		return -1;
	}
	*(int64_t *)at(o, base) = n;
	return 0;
}

static int set_enum(const struct config_option *o, void *base, const char *text, struct err *e)
{
	struct buf names = { 0 };

	for (int i = 0; o->choices[i]; i++) {
		if (strcmp(text, o->choices[i]) == 0) {
			*(int *)at(o, base) = i;
			buf_fini(&names);
			return 0;
		}
		buf_printf(&names, "%s%s", i ? ", " : "", o->choices[i]);
	}
	err_set(e, "must be one of %.*s, not '%s'", STR_ARG(buf_str(&names)), text);
	buf_fini(&names);
	return -1;
}

static int set_bool(const struct config_option *o, void *base, const char *text, struct err *e)
{
	bool yes = strcmp(text, "true") == 0;

	if (!yes && strcmp(text, "false") != 0)
		return err_set(e, "must be true or false, not '%s'", text);
	*(bool *)at(o, base) = yes;
	return 0;
}

static void set_text(const struct config_option *o, void *base, const char *folder, const char *text)
{
	struct buf b = { 0 };

	if (o->type == CONFIG_PATH && text[0] && text[0] != '/' && folder)
		buf_printf(&b, strcmp(text, ".") == 0 ? "%s" : "%s/", folder);
	if (o->type != CONFIG_PATH || strcmp(text, ".") != 0 || !folder)
		buf_append_cstr(&b, text);
	config_value_clear(o, base);
	*(char **)at(o, base) = buf_take(&b, NULL);
}

static void set_list(const struct config_option *o, void *base, const char *text)
{
	config_value_clear(o, base);
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, ",");
		const char *end = p + n;
		while (p < end && isspace((unsigned char)*p))
			p++;
		size_t keep = (size_t)(end - p);
		while (keep && isspace((unsigned char)p[keep - 1]))
			keep--;
		char *item = mem_strndup(p, keep);
		if (keep)
			config_value_add(o, base, item);
		mem_free(item);
		p = *end ? end + 1 : end;
	}
}

int config_value_set(const struct config_option *o, void *base, const char *folder, const char *text, struct err *e)
{
	switch (o->type) {
	case CONFIG_BOOL:
		return set_bool(o, base, text, e);
	case CONFIG_INT:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		return set_number(o, base, text, e);
	case CONFIG_ENUM:
		return set_enum(o, base, text, e);
	case CONFIG_STRING:
	case CONFIG_PATH:
		set_text(o, base, folder, text);
		return 0;
	case CONFIG_LIST:
		set_list(o, base, text);
		return 0;
	}
	return err_set(e, "has an unknown type");
}

void config_value_add(const struct config_option *o, void *base, const char *item)
{
	struct config_list *list = at(o, base);

	list->items = mem_realloc(list->items, (list->count + 1) * sizeof(*list->items));
	list->items[list->count++] = mem_strdup(item);
}

void config_value_clear(const struct config_option *o, void *base)
{
	if (o->type == CONFIG_STRING || o->type == CONFIG_PATH) {
		mem_free(*(char **)at(o, base));
		*(char **)at(o, base) = NULL;
	} else if (o->type == CONFIG_LIST) {
		struct config_list *list = at(o, base);
		for (size_t i = 0; i < list->count; i++)
			mem_free(list->items[i]);
		mem_free(list->items);
		*list = (struct config_list){ 0 };
	}
}

static size_t width(enum config_type type)
{
	static const size_t widths[] = {
		[CONFIG_BOOL] = sizeof(bool),        [CONFIG_INT] = sizeof(int64_t),
		[CONFIG_DURATION] = sizeof(int64_t), [CONFIG_SIZE] = sizeof(int64_t),
		[CONFIG_STRING] = sizeof(char *),    [CONFIG_PATH] = sizeof(char *),
		[CONFIG_ENUM] = sizeof(int),         [CONFIG_LIST] = sizeof(struct config_list),
	};

	return widths[type];
}

bool config_value_equal(const struct config_option *o, const void *a, const void *b)
{
	struct buf text_a = { 0 }, text_b = { 0 };

	config_value_write(o, a, &text_a);
	config_value_write(o, b, &text_b);
	bool equal = str_eq(buf_str(&text_a), buf_str(&text_b));
	buf_fini(&text_a);
	buf_fini(&text_b);
	return equal;
}

void config_value_swap(const struct config_option *o, void *a, void *b)
{
	char keep[sizeof(struct config_list)];
	size_t n = width(o->type);

	memcpy(keep, at(o, a), n);
	memcpy(at(o, a), at(o, b), n);
	memcpy(at(o, b), keep, n);
}

/* --- as YAML ------------------------------------------------------------------------------------------------------ */

/* Would a YAML reader take these bytes, unquoted, for this very text? Errs on the side of quoting. */
static bool is_plain(const char *text)
{
	static const char *const words[] = { "true", "false", "null", "yes", "no", "on", "off" };

	if (!isalpha((unsigned char)text[0]) && text[0] != '/')
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(text, words[i]) == 0)
			return false;
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@+");
	return text[n] == '\0' && text[n - 1] != ':';
}

void config_yaml_scalar(struct buf *out, const char *text)
{
	if (is_plain(text)) {
		buf_append_cstr(out, text);
		return;
	}
	buf_append_char(out, '"');
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_printf(out, "\\%c", *p);
		else if ((unsigned char)*p < 0x20 || *p == 0x7f)
			buf_printf(out, "\\x%02x", (unsigned char)*p);
		else
			buf_append_char(out, *p);
	}
	buf_append_char(out, '"');
}

static void write_list(const struct config_list *list, struct buf *out)
{
	buf_append_char(out, '[');
	for (size_t i = 0; i < list->count; i++) {
		if (i)
			buf_append_cstr(out, ", ");
		config_yaml_scalar(out, list->items[i]);
	}
	buf_append_char(out, ']');
}

void config_value_write(const struct config_option *o, const void *base, struct buf *out)
{
	const void *p = at_const(o, base);

	switch (o->type) {
	case CONFIG_BOOL:
		buf_append_cstr(out, *(const bool *)p ? "true" : "false");
		return;
	case CONFIG_INT:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		write_number(o->type, *(const int64_t *)p, out);
		return;
	case CONFIG_ENUM:
		config_yaml_scalar(out, o->choices[*(const int *)p]);
		return;
	case CONFIG_STRING:
	case CONFIG_PATH:
		config_yaml_scalar(out, *(char *const *)p ? *(char *const *)p : "");
		return;
	case CONFIG_LIST:
		write_list(p, out);
		return;
	}
}
