/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/positions.h"

#include <string.h>

#include "common/base/mem.h"

/* Index of the first that is not lower. Looks at both ends before it searches. */
static uint32_t find(const struct positions *p, uint64_t id)
{
	uint32_t low = 0, high = p->count;

	if (high == 0 || p->at[high - 1] < id)
		return high;
	if (p->at[0] >= id)
		return 0;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (p->at[mid] < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool positions_has(const struct positions *p, uint64_t id)
{
	uint32_t i = find(p, id);

	return i < p->count && p->at[i] == id;
}

bool positions_add(struct positions *p, uint64_t id)
{
	uint32_t i = find(p, id);

	if (i < p->count && p->at[i] == id)
		return false;
	if (p->count == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 4;
		p->at = mem_realloc(p->at, p->cap * sizeof(*p->at));
	}
	memmove(p->at + i + 1, p->at + i, (p->count - i) * sizeof(*p->at));
	p->at[i] = id;
	p->count++;
	return true;
}

bool positions_remove(struct positions *p, uint64_t id)
{
	uint32_t i = find(p, id);

	if (i >= p->count || p->at[i] != id)
		return false;
	p->count--;
	memmove(p->at + i, p->at + i + 1, (p->count - i) * sizeof(*p->at));
	if (p->count == 0)
		positions_fini(p);
	return true;
}

void positions_fini(struct positions *p)
{
	mem_free(p->at);
	*p = (struct positions){ 0 };
}
