/* SPDX-License-Identifier: Apache-2.0
 *
 * idmap: linear probing, at most half full, deletion by moving later entries back, so that there are no tombstones. */
#include "ipc/runtime/idmap.h"

#include "common/base/mem.h"

static size_t home(const struct idmap *m, uint64_t id)
{
	id ^= id >> 32;
	return (size_t)((id * 0x9e3779b97f4a7c15u) >> 20) & (m->cap - 1);
}

void idmap_fini(struct idmap *m)
{
	mem_free(m->cells);
	*m = (struct idmap){ 0 };
}

void *idmap_get(const struct idmap *m, uint64_t id)
{
	if (m->cap == 0 || id == 0)
		return NULL;
	for (size_t i = home(m, id); m->cells[i].id; i = (i + 1) & (m->cap - 1))
		if (m->cells[i].id == id)
			return m->cells[i].value;
	return NULL;
}

static void grow(struct idmap *m)
{
	struct idmap old = *m;

	m->cap = old.cap ? old.cap * 2 : 16;
	m->cells = mem_zalloc(m->cap * sizeof(*m->cells));
	m->count = 0;
	for (size_t i = 0; i < old.cap; i++)
		if (old.cells[i].id)
			idmap_put(m, old.cells[i].id, old.cells[i].value);
	mem_free(old.cells);
}

void idmap_put(struct idmap *m, uint64_t id, void *value)
{
	size_t i;

	if ((m->count + 1) * 2 > m->cap)
		grow(m);
	for (i = home(m, id); m->cells[i].id && m->cells[i].id != id; i = (i + 1) & (m->cap - 1))
		;
	m->count += m->cells[i].id == 0;
	m->cells[i] = (struct idmap_cell){ id, value };
}

void idmap_remove(struct idmap *m, uint64_t id)
{
	size_t i, next;

	if (m->cap == 0)
		return;
	for (i = home(m, id); m->cells[i].id != id; i = (i + 1) & (m->cap - 1))
		if (m->cells[i].id == 0)
			return;
	for (next = (i + 1) & (m->cap - 1); m->cells[next].id; next = (next + 1) & (m->cap - 1)) {
		size_t at = home(m, m->cells[next].id);

		/* Move back what would not be found any more across the gap. */
		if (((next - at) & (m->cap - 1)) >= ((next - i) & (m->cap - 1))) {
			m->cells[i] = m->cells[next];
			i = next;
		}
	}
	m->cells[i] = (struct idmap_cell){ 0 };
	m->count--;
}
