/* SPDX-License-Identifier: Apache-2.0
 *
 * buf: growing bytes with an end that can be eaten from the front. Owned by whoever declares it; embed it, buf_fini() frees.
 * A zeroed struct is an empty buffer. Appends past `max` (0: 256 MiB) fail and set `overflow`, so that a writer may check once at the end. */
#ifndef COMMON_BASE_BUF_H
#define COMMON_BASE_BUF_H

#include <stdint.h>

#include "common/base/str.h"

struct buf {
	char *p;      /* storage */
	size_t start; /* first byte not yet consumed */
	size_t n;     /* end of data in p */
	size_t cap;
	size_t max;
	bool overflow;
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
void buf_clear(struct buf *b);   /* keeps the storage */
void buf_release(struct buf *b); /* frees the storage when empty: idle connections hold none */
bool buf_append(struct buf *b, const void *p, size_t n);
bool buf_append_str(struct buf *b, struct str s);
bool buf_append_cstr(struct buf *b, const char *s);
bool buf_append_char(struct buf *b, char c);
bool buf_append_u32le(struct buf *b, uint32_t v);
bool buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *buf_reserve(struct buf *b, size_t n);   /* room for n bytes at the end; NULL past max */
void buf_commit(struct buf *b, size_t n);     /* n of the reserved bytes were written */
void buf_consume(struct buf *b, size_t n);    /* forget n bytes at the front */
struct str buf_str(const struct buf *b);      /* a view, valid until the next change */
char *buf_take(struct buf *b, size_t *out_n); /* NUL-terminated heap copy that the caller frees; b is empty then */

#endif
