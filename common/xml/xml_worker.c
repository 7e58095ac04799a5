/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_worker: see xml_worker.h. Idle readers wait in a short list, for the one thread that all protocol code runs on. */
#include "common/xml/xml_worker.h"

#include "common/base/mem.h"

#define IDLE_MAX 8

static struct xml_reader *idle[IDLE_MAX];
static size_t idle_n;

static void reader_free(struct xml_reader *r)
{
	xml_reader_fini(r);
	mem_free(r);
}

__attribute__((destructor)) static void free_idle(void)
{
	while (idle_n > 0)
		reader_free(idle[--idle_n]);
}

struct xml_reader *xml_worker_take(void)
{
	if (idle_n > 0)
		return idle[--idle_n];
	struct xml_reader *r = mem_new(struct xml_reader);
	xml_reader_init(r);
	return r;
}

void xml_worker_give(struct xml_reader **pr)
{
	struct xml_reader *r = *pr;

	*pr = NULL;
	if (!r)
		return;
	if (idle_n == IDLE_MAX) {
		reader_free(r);
		return;
	}
	xml_reader_trim(r);
	idle[idle_n++] = r;
}

size_t xml_worker_bytes(const struct xml_reader *r)
{
	const struct xml_canon *c = &r->canon;

	return sizeof(*r) + arena_bytes(c->arena) + c->out.cap + c->names.cap + r->attrs_cap * sizeof(*r->attrs) +
	       c->bindings_cap * sizeof(*c->bindings) + c->levels_cap * sizeof(*c->levels) + c->prefixed_cap * sizeof(*c->prefixed);
}
