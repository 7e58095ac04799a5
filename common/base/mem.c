/* SPDX-License-Identifier: Apache-2.0
 *
 * mem: see mem.h. Nothing here returns NULL; what cannot be had ends the process, loudly. */
#include "common/base/mem.h"

#include <stdlib.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void)
{
	static const char text[] = "starling: out of memory\n";

	/* No formatting and no log: both allocate. */
	ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)written;
	abort();
}

void *mem_alloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *mem_zalloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *mem_realloc(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (!p)
		out_of_memory();
	return p;
}

char *mem_strdup(const char *cstr)
{
	return cstr ? mem_strndup(cstr, strlen(cstr)) : NULL;
}

char *mem_strndup(const char *p, size_t n)
{
	char *copy = mem_alloc(n + 1);

	if (n)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

void *mem_memdup(const void *p, size_t n)
{
	void *copy = mem_alloc(n);

	if (n)
		memcpy(copy, p, n);
	return copy;
}

void mem_free(void *p)
{
	free(p);
}

void mem_free_secret(void *p, size_t n)
{
	if (!p)
		return;
	mem_wipe(p, n);
	free(p);
}

void mem_wipe(void *p, size_t n)
{
	if (n)
		explicit_bzero(p, n);
}
