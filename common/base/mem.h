/* SPDX-License-Identifier: Apache-2.0
 *
 * mem: allocation that does not return NULL. Out of memory aborts: error paths of malloc are never tested, so input is
 * bounded by accounting instead (docs/decisions). */
#ifndef COMMON_BASE_MEM_H
#define COMMON_BASE_MEM_H

#include "common/base/str.h"

void *mem_alloc(size_t n);  /* uninitialised; n may be 0 */
void *mem_zalloc(size_t n); /* zeroed */
void *mem_realloc(void *p, size_t n);
char *mem_strdup(const char *cstr);         /* NULL gives NULL */
char *mem_strndup(const char *p, size_t n); /* NUL-terminated copy */
void *mem_memdup(const void *p, size_t n);
void mem_free(void *p);
/* Overwrites before freeing: for passwords and keys. */
void mem_free_secret(void *p, size_t n);
void mem_wipe(void *p, size_t n);

#define mem_new(type) ((type *)mem_zalloc(sizeof(type)))

#endif
