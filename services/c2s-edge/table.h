/* SPDX-License-Identifier: Apache-2.0
 *
 * table: from stream numbers to sessions. Numbers are random, so they are their own hash. */
#ifndef C2S_EDGE_TABLE_H
#define C2S_EDGE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct c2s_session;

struct c2s_table {
	struct c2s_slot_entry {
		uint64_t key; /* 0: empty */
		struct c2s_session *value;
	} * entries;
	uint32_t cap; /* power of two */
	uint32_t count;
};

void c2s_table_fini(struct c2s_table *t);
struct c2s_session *c2s_table_get(const struct c2s_table *t, uint64_t key);
/* False: the number is taken. */
bool c2s_table_put(struct c2s_table *t, uint64_t key, struct c2s_session *value);
void c2s_table_remove(struct c2s_table *t, uint64_t key);

#endif
