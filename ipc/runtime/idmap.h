/* SPDX-License-Identifier: Apache-2.0
 *
 * idmap: from a 64-bit number that is not 0 to a pointer; open addressing. It does not own what it points to. */
#ifndef IPC_RUNTIME_IDMAP_H
#define IPC_RUNTIME_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct idmap_cell {
	uint64_t id; /* 0: free */
	void *value;
};

/* A zeroed struct is an empty map. */
struct idmap {
	struct idmap_cell *cells;
	size_t cap, count; /* cap is a power of two, or 0 */
};

void idmap_fini(struct idmap *m);
void *idmap_get(const struct idmap *m, uint64_t id);
void idmap_put(struct idmap *m, uint64_t id, void *value);
void idmap_remove(struct idmap *m, uint64_t id);

/* Entries in no order. The map must not change meanwhile. */
#define IDMAP_EACH(m, i)                                                                                                                   \
	for (size_t i = 0; i < (m)->cap; i++)                                                                                              \
		if ((m)->cells[i].id)

#endif
