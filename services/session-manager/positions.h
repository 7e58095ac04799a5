/* SPDX-License-Identifier: Apache-2.0
 *
 * positions: a small sorted set of positions in the log. New ones are mostly the highest, and go mostly from the front. */
#ifndef SESSION_MANAGER_POSITIONS_H
#define SESSION_MANAGER_POSITIONS_H

#include <stdbool.h>
#include <stdint.h>

struct positions {
	uint64_t *at;
	uint32_t count, cap;
};

bool positions_add(struct positions *p, uint64_t id); /* false: was there */
bool positions_remove(struct positions *p, uint64_t id);
bool positions_has(const struct positions *p, uint64_t id);
void positions_fini(struct positions *p);

#endif
