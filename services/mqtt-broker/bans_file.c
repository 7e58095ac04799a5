/* SPDX-License-Identifier: Apache-2.0
 *
 * bans_file: bans in a file: a line each, of seconds since 1970, client identifier, user and address, with tabs between them. In identifiers, which may be any
 * text, control characters and % are written as %XX. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "services/mqtt-broker/bans.h"

#define FIELDS   4u
#define FILE_MAX (64u << 20)

static void write_field(struct buf *out, const char *text, char end)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f || *text == '%')
			buf_printf(out, "%%%02X", (unsigned char)*text);
		else
			buf_append_char(out, *text);
	}
	buf_append_char(out, end);
}

void mq_bans_write(const struct mq_bans *b, struct buf *out)
{
	list_for_each (n, &b->list) {
		const struct mq_ban *ban = list_entry(n, struct mq_ban, node);

		buf_printf(out, "%lld\t", (long long)ban->until_s);
		write_field(out, ban->client, '\t');
		write_field(out, ban->user, '\t');
		write_field(out, ban->address, '\n');
	}
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The field of the line up to its tab, decoded. NULL: it is not as it is written. */
static char *take_field(struct str *line, bool last)
{
	const char *end = last ? line->p + line->n : memchr(line->p, '\t', line->n);
	char *out, *to;

	if (!end)
		return NULL;
	to = out = mem_zalloc((size_t)(end - line->p) + 1);
	for (const char *p = line->p; p < end; p++) {
		int high = *p == '%' && end - p > 2 ? hex(p[1]) : 0, low = *p == '%' && end - p > 2 ? hex(p[2]) : 0;

		if ((unsigned char)*p < 0x20 || high < 0 || low < 0 || (*p == '%' && high * 16 + low == 0)) {
			mem_free(out);
			return NULL;
		}
		*to++ = *p == '%' ? (char)(high * 16 + low) : *p;
		p += *p == '%' ? 2 : 0;
	}
	if (!last)
		end++;
	line->n -= (size_t)(end - line->p);
	line->p = end;
	return out;
}

static bool read_line(struct mq_bans *b, struct str line)
{
	char *fields[FIELDS] = { NULL }, *rest = NULL;
	struct err e;
	bool ok = true;

	for (unsigned i = 0; i < FIELDS && ok; i++) {
		fields[i] = take_field(&line, i == FIELDS - 1);
		ok = fields[i] != NULL;
	}
	if (ok) {
		struct mq_whom whom = { fields[1], fields[2], fields[3] };
		long long until = strtoll(fields[0], &rest, 10);

		ok = fields[0][0] && !*rest && until >= 0 && mq_bans_add(b, &whom, until, &e) == 0;
	}
	for (unsigned i = 0; i < FIELDS; i++)
		mem_free(fields[i]);
	return ok;
}

int mq_bans_read(struct mq_bans *b, struct str text, struct err *e)
{
	for (unsigned number = 1; text.n > 0; number++) {
		const char *end = memchr(text.p, '\n', text.n);
		struct str line = str_make(text.p, end ? (size_t)(end - text.p) : 0);

		if (!end || !read_line(b, line))
			return err_set(e, "line %u is no ban", number);
		text = str_make(end + 1, text.n - line.n - 1);
	}
	return 0;
}

int mq_bans_load(struct mq_bans *b, const char *path, struct err *e)
{
	struct buf text = { 0 };
	struct err why;
	int r = file_read(path, FILE_MAX, &text, &why);

	if (r < 0 && errno != ENOENT)
		err_set(e, "%s", why.text);
	else if (r < 0)
		r = 0;
	if (r == 0 && mq_bans_read(b, buf_str(&text), &why) < 0)
		r = err_set(e, "%s, %s", path, why.text);
	buf_fini(&text);
	return r;
}

/* Not synced: some seconds' bans may be lost with the machine's power, and the loop does not wait for a disk. */
int mq_bans_save(const struct mq_bans *b, const char *path, struct err *e)
{
	struct buf text = { 0 };
	char fresh[4096];
	FILE *f;
	bool ok;

	snprintf(fresh, sizeof(fresh), "%s.%ld", path, (long)getpid());
	f = fopen(fresh, "we");
	if (!f)
		return err_set(e, "%s: %s", fresh, strerror(errno));
	mq_bans_write(b, &text);
	ok = text.n == text.start || fwrite(text.p + text.start, text.n - text.start, 1, f) == 1;
	ok = fclose(f) == 0 && ok && rename(fresh, path) == 0;
	buf_fini(&text);
	if (ok)
		return 0;
	err_set(e, "%s: %s", path, strerror(errno));
	unlink(fresh);
	return -1;
}
