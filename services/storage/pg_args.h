/* SPDX-License-Identifier: Apache-2.0
 *
 * pg_args: parameters of one prepared statement in PostgreSQL's binary format, and the reading of binary results.
 * Owned by whoever embeds it; pg_args_fini() frees. A zeroed struct holds no parameter. No I/O. */
#ifndef STORAGE_PG_ARGS_H
#define STORAGE_PG_ARGS_H

#include <libpq-fe.h>
#include <stdint.h>

#include "common/base/buf.h"

#define PG_ARGS_MAX 16

/* Type numbers that PostgreSQL never changes (pg_type.dat). */
enum pg_oid { PG_BYTEA = 17, PG_INT8 = 20, PG_INT4 = 23, PG_TEXT = 25 };

struct pg_args {
	struct buf data;
	uint32_t count;
	struct {
		uint32_t at; /* in data */
		int32_t n;   /* -1: null */
	} arg[PG_ARGS_MAX];
};

void pg_args_fini(struct pg_args *a);
void pg_args_clear(struct pg_args *a);
void pg_args_null(struct pg_args *a);
void pg_args_bool(struct pg_args *a, bool v);
void pg_args_int4(struct pg_args *a, int32_t v);
void pg_args_int8(struct pg_args *a, int64_t v);
void pg_args_bytes(struct pg_args *a, struct str v);                 /* text and bytea alike */
void pg_args_set_int4(struct pg_args *a, uint32_t index, int32_t v); /* of an int4 that is there */
/* An array parameter is begun, gets `count` elements, and is ended. */
struct pg_array {
	struct pg_args *args;
	uint32_t start;
};
struct pg_array pg_array_begin(struct pg_args *a, enum pg_oid element, uint32_t count);
void pg_array_int4(struct pg_array *r, int32_t v);
void pg_array_int8(struct pg_array *r, int64_t v);
void pg_array_bytes(struct pg_array *r, struct str v);
void pg_array_end(struct pg_array *r);
/* One row a source: parameter c becomes an array of columns[c], with element i taken from rows[i]. */
void pg_args_merge(struct pg_args *out, const struct pg_args *const *rows, uint32_t count, const enum pg_oid *columns,
                   uint32_t column_count);

/* A result's field, binary. Text and bytea are views into the result, with a NUL behind their end. */
int32_t pg_get_int4(const PGresult *res, int row, int column);
int64_t pg_get_int8(const PGresult *res, int row, int column);
bool pg_get_bool(const PGresult *res, int row, int column);
struct str pg_get_bytes(const PGresult *res, int row, int column);
/* Elements of a one-dimensional text[] without nulls, as views without a NUL; returns how many, at most max. */
uint32_t pg_get_texts(const PGresult *res, int row, int column, struct str *out, uint32_t max);
/* The same of an int8[]. */
uint32_t pg_get_int8s(const PGresult *res, int row, int column, uint64_t *out, uint32_t max);
uint32_t pg_get_text_count(const PGresult *res, int row, int column);

#endif
