/* SPDX-License-Identifier: Apache-2.0
 *
 * Open addressing with linear probing; removal shifts back, so that there are no tombstones. */
#include "services/c2s-edge/table.h"

#include "common/base/mem.h"

#define FIRST_CAP 64u

void c2s_table_fini(struct c2s_table *t)
{
	mem_free(t->entries);
	*t = (struct c2s_table){ 0 };
}

/* Where the key is, or the empty place where it would go. */
static uint32_t place(const struct c2s_table *t, uint64_t key)
{
	uint32_t at = (uint32_t)key & (t->cap - 1);

	while (t->entries[at].key != 0 && t->entries[at].key != key)
		at = (at + 1) & (t->cap - 1);
	return at;
}

struct c2s_session *c2s_table_get(const struct c2s_table *t, uint64_t key)
{
	if (t->count == 0 || key == 0)
		return NULL;
	return t->entries[place(t, key)].value;
}

static void resize(struct c2s_table *t, uint32_t cap)
{
	struct c2s_table old = *t;

	t->cap = cap;
	t->entries = mem_zalloc(cap * sizeof(*t->entries));
	for (uint32_t i = 0; i < old.cap; i++) {
		if (old.entries[i].key != 0)
			t->entries[place(t, old.entries[i].key)] = old.entries[i];
	}
	mem_free(old.entries);
}

bool c2s_table_put(struct c2s_table *t, uint64_t key, struct c2s_session *value)
{
	uint32_t at;

	if (t->cap == 0)
		resize(t, FIRST_CAP);
	else if (t->count >= t->cap - t->cap / 4)
		resize(t, t->cap * 2);
	at = place(t, key);
	if (key == 0 || t->entries[at].key == key)
		return false;
	t->entries[at].key = key;
	t->entries[at].value = value;
	t->count++;
	return true;
}

void c2s_table_remove(struct c2s_table *t, uint64_t key)
{
	uint32_t hole, at, mask = t->cap - 1;

	if (t->count == 0 || key == 0)
		return;
	hole = place(t, key);
	if (t->entries[hole].key != key)
		return;
	t->count--;
	for (at = (hole + 1) & mask; t->entries[at].key != 0; at = (at + 1) & mask) {
		uint32_t home = (uint32_t)t->entries[at].key & mask;

		/* It may move into the hole unless its home lies behind that. */
		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		t->entries[hole] = t->entries[at];
		hole = at;
	}
	t->entries[hole].key = 0;
	t->entries[hole].value = NULL;
}
