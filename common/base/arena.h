/* SPDX-License-Identifier: Apache-2.0
 *
 * arena: memory that is freed together. One per request, stanza or connection. */
#ifndef COMMON_BASE_ARENA_H
#define COMMON_BASE_ARENA_H

#include "common/base/str.h"

struct arena;

struct arena *arena_new(size_t chunk); /* chunk: bytes of the first block, 0 for 4 KiB */
void arena_free(struct arena **a);
void arena_reset(struct arena *a);            /* forget everything, keep the first block */
void *arena_alloc(struct arena *a, size_t n); /* aligned for any type, uninitialised */
void *arena_zalloc(struct arena *a, size_t n);
char *arena_strndup(struct arena *a, const char *p, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct str arena_str(struct arena *a, struct str s); /* copy, NUL-terminated behind its end */
size_t arena_bytes(const struct arena *a);           /* held from the system */

#endif
