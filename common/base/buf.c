/* SPDX-License-Identifier: Apache-2.0
 *
 * buf: see buf.h. */
#include "common/base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/mem.h"

#define DEFAULT_MAX ((size_t)256 << 20)
#define SMALLEST    64u

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_fini(struct buf *b)
{
	mem_free(b->p);
	*b = (struct buf){ .max = b->max };
}

void buf_clear(struct buf *b)
{
	b->start = b->n = 0;
	b->overflow = false;
}

void buf_release(struct buf *b)
{
	if (b->n != b->start)
		return;
	mem_free(b->p);
	b->p = NULL;
	b->start = b->n = b->cap = 0;
}

static void make_room(struct buf *b, size_t n)
{
	size_t used = b->n - b->start;

	if (b->cap - b->n >= n)
		return;
	/* Moving costs `used` bytes; it pays when at least as many were eaten. */
	if (b->start >= used && b->cap - used >= n) {
		memmove(b->p, b->p + b->start, used);
		b->start = 0;
		b->n = used;
		return;
	}
	size_t cap = b->cap ? b->cap : SMALLEST;
	while (cap - used < n)
		cap *= 2;
	char *p = mem_alloc(cap);
	if (used)
		memcpy(p, b->p + b->start, used);
	mem_free(b->p);
	b->p = p;
	b->cap = cap;
	b->start = 0;
	b->n = used;
}

char *buf_reserve(struct buf *b, size_t n)
{
	size_t max = b->max ? b->max : DEFAULT_MAX;
	size_t used = b->n - b->start;

	if (n > max || used > max - n) {
		b->overflow = true;
		return NULL;
	}
	make_room(b, n ? n : 1);
	return b->p + b->n;
}

void buf_commit(struct buf *b, size_t n)
{
	b->n += n;
}

bool buf_append(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return true;
	char *to = buf_reserve(b, n);
	if (!to)
		return false;
	memcpy(to, p, n);
	b->n += n;
	return true;
}

bool buf_append_str(struct buf *b, struct str s)
{
	return buf_append(b, s.p, s.n);
}

bool buf_append_cstr(struct buf *b, const char *s)
{
	return buf_append(b, s, strlen(s));
}

bool buf_append_char(struct buf *b, char c)
{
	return buf_append(b, &c, 1);
}

bool buf_append_u32le(struct buf *b, uint32_t v)
{
	unsigned char raw[4] = { (unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16), (unsigned char)(v >> 24) };

	return buf_append(b, raw, sizeof(raw));
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
	char small[256];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0)
		return false;
	if ((size_t)n < sizeof(small))
		return buf_append(b, small, (size_t)n);
	/* vsnprintf writes a NUL behind the text: that byte is reserved beyond max, but never counted. */
	if (!buf_reserve(b, (size_t)n))
		return false;
	make_room(b, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
	return true;
}

void buf_consume(struct buf *b, size_t n)
{
	size_t used = b->n - b->start;

	b->start += n < used ? n : used;
	if (b->start == b->n)
		b->start = b->n = 0;
}

struct str buf_str(const struct buf *b)
{
	return str_make(b->p ? b->p + b->start : "", b->n - b->start);
}

char *buf_take(struct buf *b, size_t *out_n)
{
	size_t used = b->n - b->start;

	make_room(b, 1);
	if (b->start)
		memmove(b->p, b->p + b->start, used);
	char *p = mem_realloc(b->p, used + 1);
	p[used] = '\0';
	if (out_n)
		*out_n = used;
	*b = (struct buf){ .max = b->max };
	return p;
}
