/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/handlers/spool.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/text/utf8.h"
#include "ipc/proto/envelope.pb-c.h"

#define DOMAIN_MAX 1023u /* RFC 7622 section 3.2 */

/* Normalised they are already, and whether there are such domains is nobody's business here: only what could not be one is refused. */
static bool is_domain(struct str text)
{
	if (text.n == 0 || text.n > DOMAIN_MAX || !utf8_valid(text))
		return false;
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] <= ' ' || text.p[i] == '@' || text.p[i] == '/' || text.p[i] == '\x7f')
			return false;
	return true;
}

/* A remote domain, or "remote/local". */
static bool is_queue(struct str text)
{
	const char *slash = memchr(text.p, '/', text.n);
	size_t n = slash ? (size_t)(slash - text.p) : text.n;

	return is_domain(str_make(text.p, n)) && (!slash || is_domain(str_make(slash + 1, text.n - n - 1)));
}

int spool_bind_domain(struct op *op, const char *domain, const char **why)
{
	struct str text = str_from(domain);

	if (!is_queue(text)) {
		*why = "domain is not a domain's name, nor two";
		return STARLING__CODE__CODE_INVALID;
	}
	pg_args_bytes(&op->args, text);
	return 0;
}

int spool_lock_domain(struct op *op, const char *domain, const Starling__Fence *fence, const char **why)
{
	op->slot = hash_slot(str_from(domain));
	op->lock = spool_lock(op->slot);
	if (!fence || (fence->slot == op->slot && fence->epoch <= INT64_MAX))
		return 0;
	*why = "fence is of another slot than the domain, or out of range";
	return STARLING__CODE__CODE_INVALID;
}

uint32_t spool_lock(uint32_t slot)
{
	return (uint32_t)INT32_MAX + 1 + slot;
}

int64_t spool_epoch(const Starling__Fence *fence)
{
	if (!fence)
		return -1;
	return fence->epoch ? (int64_t)fence->epoch : -2;
}

static int compare_int(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

int spool_slots(struct op *op, const uint32_t *slots, size_t n, int32_t **out, uint32_t *out_n, const char **why)
{
	int32_t *sorted;
	uint32_t distinct = 0;

	for (size_t i = 0; i < n; i++)
		if (n > SLOT_COUNT || slots[i] >= SLOT_COUNT) {
			*why = "more than 1024 slots, or one out of range";
			return STARLING__CODE__CODE_INVALID;
		}
	sorted = arena_alloc(op->scratch, (n + 1) * sizeof *sorted);
	for (size_t i = 0; i < n; i++)
		sorted[i] = (int32_t)slots[i];
	qsort(sorted, n, sizeof *sorted, compare_int);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || sorted[i] != sorted[i - 1])
			sorted[distinct++] = sorted[i];
	*out = sorted;
	*out_n = distinct;
	return 0;
}

void spool_bind_int4s(struct pg_args *args, const int32_t *v, uint32_t n)
{
	struct pg_array array = pg_array_begin(args, PG_INT4, n);

	for (uint32_t i = 0; i < n; i++)
		pg_array_int4(&array, v[i]);
	pg_array_end(&array);
}
