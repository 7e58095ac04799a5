/* SPDX-License-Identifier: Apache-2.0
 *
 * PostgreSQL's binary formats: integers in network order; text and bytea as they are; an array is dimensions, has-null flag,
 * element type, then per dimension its length and lower bound, then each element with its length before it (-1: null). */
#include "services/storage/pg_args.h"

#include <assert.h>
#include <endian.h>

#define ARRAY_HEAD 20u

static void append_be32(struct buf *b, uint32_t v)
{
	uint32_t be = htobe32(v);

	buf_append(b, &be, sizeof be);
}

static uint32_t read_be32(const char *p)
{
	uint32_t be;

	memcpy(&be, p, sizeof be);
	return be32toh(be);
}

void pg_args_fini(struct pg_args *a)
{
	buf_fini(&a->data);
	a->count = 0;
}

void pg_args_clear(struct pg_args *a)
{
	buf_clear(&a->data);
	a->count = 0;
}

static uint32_t begin(struct pg_args *a)
{
	assert(a->count < PG_ARGS_MAX);
	a->arg[a->count].at = (uint32_t)buf_str(&a->data).n;
	return a->count++;
}

static void add(struct pg_args *a, const void *p, size_t n)
{
	uint32_t i = begin(a);

	buf_append(&a->data, p, n);
	a->arg[i].n = (int32_t)n;
}

void pg_args_null(struct pg_args *a)
{
	a->arg[begin(a)].n = -1;
}

void pg_args_bool(struct pg_args *a, bool v)
{
	char byte = v ? 1 : 0;

	add(a, &byte, 1);
}

void pg_args_int4(struct pg_args *a, int32_t v)
{
	uint32_t be = htobe32((uint32_t)v);

	add(a, &be, sizeof be);
}

void pg_args_int8(struct pg_args *a, int64_t v)
{
	uint64_t be = htobe64((uint64_t)v);

	add(a, &be, sizeof be);
}

void pg_args_bytes(struct pg_args *a, struct str v)
{
	add(a, v.p, v.n);
}

void pg_args_set_int4(struct pg_args *a, uint32_t index, int32_t v)
{
	uint32_t be = htobe32((uint32_t)v);

	assert(index < a->count && a->arg[index].n == (int32_t)sizeof be);
	memcpy(a->data.p + a->data.start + a->arg[index].at, &be, sizeof be);
}

struct pg_array pg_array_begin(struct pg_args *a, enum pg_oid element, uint32_t count)
{
	struct pg_array r = { a, a->arg[begin(a)].at };

	append_be32(&a->data, count ? 1 : 0);
	append_be32(&a->data, 1);
	append_be32(&a->data, element);
	if (count) {
		append_be32(&a->data, count);
		append_be32(&a->data, 1);
	}
	return r;
}

static void array_null(struct pg_array *r)
{
	append_be32(&r->args->data, UINT32_MAX);
}

void pg_array_int4(struct pg_array *r, int32_t v)
{
	append_be32(&r->args->data, sizeof v);
	append_be32(&r->args->data, (uint32_t)v);
}

void pg_array_int8(struct pg_array *r, int64_t v)
{
	uint64_t be = htobe64((uint64_t)v);

	append_be32(&r->args->data, sizeof be);
	buf_append(&r->args->data, &be, sizeof be);
}

void pg_array_bytes(struct pg_array *r, struct str v)
{
	append_be32(&r->args->data, (uint32_t)v.n);
	buf_append(&r->args->data, v.p, v.n);
}

void pg_array_end(struct pg_array *r)
{
	struct pg_args *a = r->args;

	a->arg[a->count - 1].n = (int32_t)(buf_str(&a->data).n - r->start);
}

void pg_args_merge(struct pg_args *out, const struct pg_args *const *rows, uint32_t count, const enum pg_oid *columns,
                   uint32_t column_count)
{
	for (uint32_t c = 0; c < column_count; c++) {
		struct pg_array r = pg_array_begin(out, columns[c], count);

		for (uint32_t i = 0; i < count; i++) {
			assert(rows[i]->count == column_count);
			if (rows[i]->arg[c].n < 0)
				array_null(&r);
			else
				pg_array_bytes(&r, str_make(buf_str(&rows[i]->data).p + rows[i]->arg[c].at, (size_t)rows[i]->arg[c].n));
		}
		pg_array_end(&r);
	}
}

int32_t pg_get_int4(const PGresult *res, int row, int column)
{
	if (PQgetlength(res, row, column) != 4)
		return 0;
	return (int32_t)read_be32(PQgetvalue(res, row, column));
}

int64_t pg_get_int8(const PGresult *res, int row, int column)
{
	uint64_t be;

	if (PQgetlength(res, row, column) != 8)
		return 0;
	memcpy(&be, PQgetvalue(res, row, column), sizeof be);
	return (int64_t)be64toh(be);
}

bool pg_get_bool(const PGresult *res, int row, int column)
{
	return PQgetlength(res, row, column) == 1 && PQgetvalue(res, row, column)[0] != 0;
}

struct str pg_get_bytes(const PGresult *res, int row, int column)
{
	return str_make(PQgetvalue(res, row, column), (size_t)PQgetlength(res, row, column));
}

uint32_t pg_get_text_count(const PGresult *res, int row, int column)
{
	struct str v = pg_get_bytes(res, row, column);

	return v.n >= ARRAY_HEAD && read_be32(v.p) == 1 ? read_be32(v.p + 12) : 0;
}

uint32_t pg_get_texts(const PGresult *res, int row, int column, struct str *out, uint32_t max)
{
	struct str v = pg_get_bytes(res, row, column);
	uint32_t count = pg_get_text_count(res, row, column), found = 0;
	size_t at = ARRAY_HEAD;

	while (found < count && found < max && v.n - at >= 4) {
		uint32_t n = read_be32(v.p + at);

		at += 4;
		if (n == UINT32_MAX || n > v.n - at)
			break;
		out[found++] = str_make(v.p + at, n);
		at += n;
	}
	return found;
}

uint32_t pg_get_int8s(const PGresult *res, int row, int column, uint64_t *out, uint32_t max)
{
	struct str v = pg_get_bytes(res, row, column);
	uint32_t count = pg_get_text_count(res, row, column), found = 0;
	size_t at = ARRAY_HEAD;

	while (found < count && found < max && v.n - at >= 12 && read_be32(v.p + at) == 8) {
		uint64_t be;

		memcpy(&be, v.p + at + 4, sizeof be);
		out[found++] = be64toh(be);
		at += 12;
	}
	return found;
}
