/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/external_list.h"

#include "common/base/mem.h"

static struct external_list *list_new(uint32_t max)
{
	struct external_list *l = mem_new(struct external_list);

	l->arena = arena_new(0);
	l->items = arena_zalloc(l->arena, (max + 1) * sizeof(*l->items));
	return l;
}

void external_list_free(struct external_list **l)
{
	struct external_list *it = *l;

	*l = NULL;
	if (!it)
		return;
	for (uint32_t i = 0; i < it->count; i++)
		if (it->items[i].secret.n)
			mem_wipe((char *)it->items[i].secret.p, it->items[i].secret.n);
	arena_free(&it->arena);
	mem_free(it);
}

const struct external_service *external_list_find(const struct external_list *l, const struct external_service *s)
{
	for (uint32_t i = 0; i < l->count; i++) {
		if (external_service_is(&l->items[i], s))
			return &l->items[i];
	}
	return NULL;
}

struct external_list *external_list_load(const struct config_list *lines, const char *keys_dir, struct err *e)
{
	struct external_list *l = list_new((uint32_t)lines->count);

	for (size_t i = 0; i < lines->count; i++) {
		struct external_service *s = &l->items[l->count];
		int rc = external_service_parse(l->arena, str_from(lines->items[i]), keys_dir, s, e);

		if (rc == 0 && external_list_find(l, s))
			rc = err_set(e, "external.services: %.*s %.*s is there twice", STR_ARG(s->type), STR_ARG(s->host));
		l->count++;
		if (rc != 0) {
			external_list_free(&l);
			return NULL;
		}
	}
	return l;
}

static void add(struct external_list *l, const struct external_service *from, struct str host, uint16_t port)
{
	struct external_service *s = &l->items[l->count];

	*s = *from;
	s->host = host;
	s->port = port;
	s->of_flock = false;
	/* Two relays may say the same address. */
	if (external_list_find(l, s))
		return;
	s->type = arena_str(l->arena, from->type);
	s->host = arena_str(l->arena, host);
	s->transport = arena_str(l->arena, from->transport);
	s->username = arena_str(l->arena, from->username);
	s->secret = arena_str(l->arena, from->secret);
	for (uint32_t i = 0; i < s->name_count; i++) {
		s->names[i].lang = arena_str(l->arena, from->names[i].lang);
		s->names[i].text = arena_str(l->arena, from->names[i].text);
	}
	l->count++;
}

struct external_list *external_list_expand(const struct external_list *lines, const struct external_relay *relays, uint32_t relay_count)
{
	struct external_list *l = list_new(lines->count * (relay_count + 1));

	for (uint32_t i = 0; i < lines->count; i++) {
		const struct external_service *s = &lines->items[i];

		if (!s->of_flock)
			add(l, s, s->host, s->port);
		for (uint32_t k = 0; k < relay_count && s->of_flock; k++)
			add(l, s, relays[k].host, s->port ? s->port : relays[k].port);
	}
	return l;
}

bool external_list_equal(const struct external_list *a, const struct external_list *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		if (!external_service_equal(&a->items[i], &b->items[i]))
			return false;
	}
	return true;
}
