/* SPDX-License-Identifier: Apache-2.0 */
#include "services/c2s-edge/window.h"

#include "common/base/mem.h"

void c2s_window_init(struct c2s_window *w)
{
	*w = (struct c2s_window){ 0 };
	list_init(&w->pending);
}

void c2s_window_start(struct c2s_window *w, uint64_t accepted, uint32_t tried, uint64_t since_ms)
{
	w->assigned = w->sent = w->accepted = accepted;
	w->tried = accepted + tried;
	w->tried_since_ms = since_ms;
}

static struct c2s_pending *first(const struct c2s_window *w)
{
	return list_entry(w->pending.next, struct c2s_pending, node);
}

static void drop_first(struct c2s_window *w)
{
	struct c2s_pending *p = first(w);

	list_remove(&p->node);
	w->count--;
	w->bytes -= p->bytes;
	mem_free(p);
}

void c2s_window_fini(struct c2s_window *w)
{
	while (!list_empty(&w->pending))
		drop_first(w);
}

/* Copies a string behind the struct; protobuf-c's empty string stays the shared one. */
static char *keep(char **at, const char *s)
{
	size_t n = s ? strlen(s) : 0;
	char *copy = *at;

	if (n == 0)
		return (char *)protobuf_c_empty_string;
	memcpy(copy, s, n + 1);
	*at += n + 1;
	return copy;
}

static size_t size_of(const char *s)
{
	return s && *s ? strlen(s) + 1 : 0;
}

struct c2s_pending *c2s_window_add(struct c2s_window *w, const Starling__StanzaMeta *meta, struct str payload, uint64_t trace)
{
	size_t text =
	        size_of(meta->to) + size_of(meta->id) + size_of(meta->child_name) + size_of(meta->child_ns) + size_of(meta->origin_id);
	size_t bytes = sizeof(struct c2s_pending) + text + payload.n;
	struct c2s_pending *p = mem_alloc(bytes);
	char *at = p->text;

	p->number = ++w->assigned;
	p->trace = trace;
	p->bytes = bytes;
	p->fault = p->fault_text = NULL;
	p->meta = *meta;
	p->meta.from = (char *)protobuf_c_empty_string;
	p->meta.to = keep(&at, meta->to);
	p->meta.id = keep(&at, meta->id);
	p->meta.child_name = keep(&at, meta->child_name);
	p->meta.child_ns = keep(&at, meta->child_ns);
	p->meta.origin_id = keep(&at, meta->origin_id);
	if (payload.n)
		memcpy(at, payload.p, payload.n);
	p->payload = str_make(at, payload.n);
	list_push_back(&w->pending, &p->node);
	w->count++;
	w->bytes += bytes;
	return p;
}

struct c2s_pending *c2s_window_next(const struct c2s_window *w)
{
	if (w->sent >= w->assigned)
		return NULL;
	/* Mostly it is the last one: nothing waits while the owner is there. */
	for (struct list_node *n = w->pending.prev; n != &w->pending; n = n->prev) {
		struct c2s_pending *p = list_entry(n, struct c2s_pending, node);

		if (p->number == w->sent + 1)
			return p;
	}
	return NULL;
}

void c2s_window_sent(struct c2s_window *w, const struct c2s_pending *p)
{
	w->sent = p->number;
	if (w->tried < p->number)
		w->tried = p->number;
}

bool c2s_window_accept(struct c2s_window *w, uint64_t number)
{
	if (number <= w->accepted || number > w->assigned)
		return false;
	w->accepted = number;
	if (w->sent < number)
		w->sent = number;
	while (!list_empty(&w->pending) && first(w)->number <= number)
		drop_first(w);
	return true;
}

void c2s_window_rewind(struct c2s_window *w)
{
	w->sent = w->accepted;
}
