/* SPDX-License-Identifier: Apache-2.0
 *
 * migrations: services/storage/migrations/NNNN_name.sql, compiled in by tools/embed-sql. A released file is never changed: the store's next
 * form is a new file, which expands first and contracts a release later, so that neighbouring versions of storage work side by side. */
#ifndef STORAGE_MIGRATIONS_H
#define STORAGE_MIGRATIONS_H

#include <stdint.h>

struct migration {
	uint32_t version; /* 1, 2, 3, ... */
	const char *name;
	const char *checksum; /* SHA-256 of the file, hex */
	const char *sql;
};

extern const struct migration migrations[];
extern const uint32_t migration_count;

#endif
