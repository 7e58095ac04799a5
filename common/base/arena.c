/* SPDX-License-Identifier: Apache-2.0
 *
 * arena: see arena.h. A chain of blocks, the newest in use; the first lies in one piece with the arena itself, so that a short-lived
 * arena costs one malloc. Under the address sanitizer what is not handed out is poisoned, so that use after a reset is found. */
#include "common/base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/mem.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#endif
#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define DEFAULT_CHUNK 4096u
#define LARGEST_CHUNK ((size_t)64 << 10)
#define ALIGNMENT     (_Alignof(max_align_t))

struct block {
	struct block *older;
	size_t size, used;
	_Alignas(max_align_t) char data[];
};

struct arena {
	struct block *newest;
	size_t bytes;
	size_t next_size;
	struct block first; /* last member: its data follows */
};

struct arena *arena_new(size_t chunk)
{
	size_t size = chunk ? chunk : DEFAULT_CHUNK;
	struct arena *a = mem_alloc(sizeof(*a) + size);

	a->first = (struct block){ .size = size };
	a->newest = &a->first;
	a->bytes = sizeof(*a) + size;
	a->next_size = size;
	ASAN_POISON_MEMORY_REGION(a->first.data, size);
	return a;
}

static void free_block(struct block *b)
{
	ASAN_UNPOISON_MEMORY_REGION(b->data, b->size);
	mem_free(b);
}

void arena_reset(struct arena *a)
{
	while (a->newest != &a->first) {
		struct block *b = a->newest;
		a->newest = b->older;
		a->bytes -= sizeof(*b) + b->size;
		free_block(b);
	}
	a->first.used = 0;
	a->next_size = a->first.size;
	ASAN_POISON_MEMORY_REGION(a->first.data, a->first.size);
}

void arena_free(struct arena **a)
{
	if (!*a)
		return;
	arena_reset(*a);
	ASAN_UNPOISON_MEMORY_REGION((*a)->first.data, (*a)->first.size);
	mem_free(*a);
	*a = NULL;
}

static struct block *add_block(struct arena *a, size_t least)
{
	if (a->next_size < LARGEST_CHUNK)
		a->next_size *= 2;
	size_t size = least > a->next_size ? least : a->next_size;
	struct block *b = mem_alloc(sizeof(*b) + size);

	*b = (struct block){ .older = a->newest, .size = size };
	a->newest = b;
	a->bytes += sizeof(*b) + size;
	ASAN_POISON_MEMORY_REGION(b->data, size);
	return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
	struct block *b = a->newest;

	if (n == 0)
		n = 1;
	size_t at = (b->used + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	if (at > b->size || n > b->size - at) {
		b = add_block(a, n);
		at = 0;
	}
	b->used = at + n;
	ASAN_UNPOISON_MEMORY_REGION(b->data + at, n);
	return b->data + at;
}

void *arena_zalloc(struct arena *a, size_t n)
{
	return memset(arena_alloc(a, n), 0, n);
}

char *arena_strndup(struct arena *a, const char *p, size_t n)
{
	char *copy = arena_alloc(a, n + 1);

	if (n)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	char *text = arena_alloc(a, (size_t)n + 1);
	text[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(text, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return text;
}

struct str arena_str(struct arena *a, struct str s)
{
	return str_make(arena_strndup(a, s.p, s.n), s.n);
}

size_t arena_bytes(const struct arena *a)
{
	return a->bytes;
}
