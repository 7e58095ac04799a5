/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/table.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/mem.h"

void table_init(struct table *t, unsigned columns, const char *const *titles, unsigned right)
{
	*t = (struct table){ .columns = columns, .right = right };
	for (unsigned i = 0; i < columns; i++)
		table_cell(t, "%s", titles[i]);
}

void table_fini(struct table *t)
{
	for (unsigned i = 0; i < t->count; i++)
		mem_free(t->cells[i]);
	mem_free(t->cells);
	*t = (struct table){ 0 };
}

void table_cell(struct table *t, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7F)
			*p = '?';
	if (t->count == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 64;
		t->cells = mem_realloc(t->cells, t->cap * sizeof(*t->cells));
	}
	t->cells[t->count++] = mem_strdup(text);
}

/* In code points: near enough for names and numbers. */
static unsigned width(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += (*s & 0xC0) != 0x80;
	return n;
}

static void spaces(struct buf *out, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		buf_append_char(out, ' ');
}

static void write_row(const struct table *t, char *const *row, const unsigned *widths, struct buf *out)
{
	unsigned owed = 0; /* spaces are written only when text follows */

	for (unsigned c = 0; c < t->columns; c++) {
		unsigned gap = widths[c] - width(row[c]);

		if (t->right & 1u << c)
			owed += gap;
		if (row[c][0]) {
			spaces(out, owed);
			owed = 0;
			buf_append_cstr(out, row[c]);
		}
		if (!(t->right & 1u << c))
			owed += gap;
		owed += 2;
	}
	buf_append_char(out, '\n');
}

void table_write(const struct table *t, struct buf *out)
{
	unsigned widths[TABLE_MAX_COLUMNS] = { 0 };

	for (unsigned i = 0; i < t->count; i++) {
		unsigned w = width(t->cells[i]);

		if (w > widths[i % t->columns])
			widths[i % t->columns] = w;
	}
	for (unsigned i = 0; i + t->columns <= t->count; i += t->columns)
		write_row(t, t->cells + i, widths, out);
}

void table_duration(uint64_t ms, char out[32])
{
	unsigned long s = (unsigned long)(ms / 1000);

	if (s >= 86400)
		snprintf(out, 32, "%lud %luh", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(out, 32, "%luh %lum", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(out, 32, "%lum %lus", s / 60, s % 60);
	else
		snprintf(out, 32, "%lus", s);
}

void table_size(uint64_t bytes, char out[32])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes / 1024;
	unsigned u = 0;

	for (; v >= 1024 && u < 3; u++)
		v /= 1024;
	snprintf(out, 32, v < 10 ? "%.1f %s" : "%.0f %s", v, units[u]);
}
