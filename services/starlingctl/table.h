/* SPDX-License-Identifier: Apache-2.0
 *
 * table: rows of text in columns as wide as they need to be, for people. */
#ifndef SERVICES_STARLINGCTL_TABLE_H
#define SERVICES_STARLINGCTL_TABLE_H

#include <stdint.h>

#include "common/base/buf.h"

enum { TABLE_MAX_COLUMNS = 16 };

struct table {
	unsigned columns;
	unsigned right; /* bit n: column n is aligned to the right */
	char **cells;   /* row by row, the titles first */
	unsigned count, cap;
};

void table_init(struct table *t, unsigned columns, const char *const *titles, unsigned right);
void table_fini(struct table *t);
/* The next cell, in reading order. Control characters are shown as '?': the text may come from a client. */
void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Appends the text, one line a row, no spaces at line ends. */
void table_write(const struct table *t, struct buf *out);
/* For people: 3d 4h, 5h 6m, 7m 8s, 9s; 1.5 GiB. out holds at least 32 bytes. */
void table_duration(uint64_t ms, char out[32]);
void table_size(uint64_t bytes, char out[32]);

#endif
