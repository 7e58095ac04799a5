/* SPDX-License-Identifier: Apache-2.0
 *
 * Who asked stands in one list; a change moves all of them into another, from which some are told in each turn, so that a hundred thousand of them hold
 * nobody up. A change in the middle of that waits for its end. */
#include "services/session-manager/external_services.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/xml/xml.h"
#include "common/xmpp/jid.h"
#include "services/session-manager/account.h"
#include "services/session-manager/deliver.h"
#include "services/session-manager/later.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"

#define RELAY_ROLE "turn-relay"
#define RELAYS_MAX 256
#define TELL_A_GO  100
#define TELL_MS    10u

#define ASKED_ALL 0x80u
static const char *const types[] = { "stun", "stuns", "turn", "turns" }; /* bits of session.services_asked */

struct external_services {
	struct sm *sm;
	struct external_list *lines, *now;
	struct external_list *before;    /* while telling of the change from it to `now` */
	struct external_list *next;      /* came meanwhile */
	struct list_node asked, telling; /* sessions */
	uint64_t number;                 /* of pushes */
};

/* --- relays of this flock --- */

/* "host:port", with an IPv6 address in brackets. False: it says none. */
static bool split(const char *address, struct external_relay *out)
{
	const char *colon = strrchr(address, ':');
	char *end;
	unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;

	if (port == 0 || port > 65535 || *end || colon == address)
		return false;
	out->host = str_make(address, (size_t)(colon - address));
	out->port = (uint16_t)port;
	if (out->host.n > 2 && out->host.p[0] == '[' && out->host.p[out->host.n - 1] == ']')
		out->host = str_make(out->host.p + 1, out->host.n - 2);
	return true;
}

static int by_address(const void *a, const void *b)
{
	const struct external_relay *x = a, *y = b;
	size_t n = x->host.n < y->host.n ? x->host.n : y->host.n;
	int order = memcmp(x->host.p, y->host.p, n);

	if (order == 0 && x->host.n != y->host.n)
		order = x->host.n < y->host.n ? -1 : 1;
	return order ? order : (int)x->port - (int)y->port;
}

/* Ready ones, in an order that does not change. */
static uint32_t relays_of(struct sm *sm, struct external_relay *out)
{
	const Starling__Registration *all[RELAYS_MAX];
	uint32_t n = ipc_bus_instances(sm->bus, RELAY_ROLE, all, RELAYS_MAX), count = 0;

	for (uint32_t i = 0; i < n && i < RELAYS_MAX; i++) {
		if (all[i]->state == STARLING__INSTANCE_STATE__INSTANCE_READY && split(all[i]->public_address, &out[count]))
			count++;
	}
	qsort(out, count, sizeof(*out), by_address);
	return count;
}

static struct external_list *expand(struct external_services *s, const struct external_list *lines)
{
	struct external_relay relays[RELAYS_MAX];

	return external_list_expand(lines, relays, relays_of(s->sm, relays));
}

/* --- telling --- */

static bool asked_for(const struct session *session, struct str type)
{
	if (session->services_asked & ASKED_ALL)
		return true;
	for (uint32_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (str_is(type, types[i]))
			return session->services_asked & 1u << i;
	}
	return false;
}

/* NULL: not asked for, or the same. */
static const char *change_of(const struct external_list *before, const struct session *session, const struct external_service *s)
{
	const struct external_service *old = external_list_find(before, s);

	if (!asked_for(session, s->type) || (old && external_service_equal(old, s)))
		return NULL;
	return old ? "modify" : "add";
}

/* One push names one type, or none when the session asked for all: what it asked for is what it is told of. */
static void write_changes(const struct external_services *s, const struct session *session, struct str type, struct buf *out)
{
	struct external_reader reader = { .account = session->account->bare,
		                          .now_us = clock_wall_us(),
		                          .life_us = s->sm->options->external_lifetime_ms * 1000 };

	for (uint32_t i = 0; i < s->now->count; i++) {
		const struct external_service *e = &s->now->items[i];
		const char *action = change_of(s->before, session, e);

		if (action && (!type.n || str_eq(type, e->type)))
			external_service_write(e, &reader, action, out);
	}
	for (uint32_t i = 0; i < s->before->count; i++) {
		const struct external_service *e = &s->before->items[i];

		if (asked_for(session, e->type) && !external_list_find(s->now, e) && (!type.n || str_eq(type, e->type)))
			external_service_write(e, &reader, "delete", out);
	}
}

static void push(struct external_services *s, struct session *session, struct str type)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	struct packet p = { .meta = &meta };
	struct str host = jid_view_domain(session->account->bare);
	struct buf bytes = { 0 }, changes = { 0 };
	char id[32], from[JID_PART_MAX + 1];

	write_changes(s, session, type, &changes);
	if (changes.n) {
		snprintf(id, sizeof(id), "services-%llx", (unsigned long long)++s->number);
		snprintf(from, sizeof(from), "%.*s", STR_ARG(host));
		buf_printf(&bytes, "<iq id='%s' type='set'><services xmlns='" NS_EXTDISCO "'", id);
		if (type.n)
			xml_attr(&bytes, "type", type);
		buf_append_cstr(&bytes, ">");
		buf_append_str(&bytes, buf_str(&changes));
		buf_append_cstr(&bytes, "</services></iq>");
		meta.kind = KIND_IQ;
		meta.type = TYPE_SET;
		meta.from = from;
		meta.to = session->full_text;
		meta.id = id;
		p.bytes = buf_str(&bytes);
		deliver_to_session(session, &p);
	}
	buf_fini(&changes);
	buf_fini(&bytes);
}

static void tell(struct external_services *s, struct session *session)
{
	if (session->services_asked & ASKED_ALL) {
		push(s, session, STR(""));
		return;
	}
	for (uint32_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (session->services_asked & 1u << i)
			push(s, session, str_from(types[i]));
	}
}

static void change_to(struct external_services *s, struct external_list *next);

static void tell_some(void *ctx)
{
	struct external_services *s = ctx;
	struct external_list *next;

	for (int i = 0; i < TELL_A_GO && !s->sm->stopping && !list_empty(&s->telling); i++) {
		struct session *session = list_entry(s->telling.next, struct session, services_node);

		list_remove(&session->services_node);
		list_push_back(&s->asked, &session->services_node);
		tell(s, session);
	}
	if (s->sm->stopping)
		return;
	if (!list_empty(&s->telling)) {
		later_run(s->sm, TELL_MS, tell_some, s);
		return;
	}
	external_list_free(&s->before);
	next = s->next;
	s->next = NULL;
	if (next)
		change_to(s, next);
}

static void change_to(struct external_services *s, struct external_list *next)
{
	if (s->before) {
		external_list_free(&s->next);
		s->next = next;
		return;
	}
	if (external_list_equal(s->now, next)) {
		external_list_free(&next);
		return;
	}
	s->before = s->now;
	s->now = next;
	while (!list_empty(&s->asked)) {
		struct list_node *n = s->asked.next;

		list_remove(n);
		list_push_back(&s->telling, n);
	}
	later_run(s->sm, 0, tell_some, s);
}

/* --- what others call --- */

struct external_services *external_services_new(struct sm *sm, const struct config_list *lines, const char *keys_dir, struct err *e)
{
	struct external_services *s;
	struct external_list *loaded = external_list_load(lines, keys_dir, e);

	if (!loaded)
		return NULL;
	s = mem_new(struct external_services);
	s->sm = sm;
	s->lines = loaded;
	s->now = external_list_expand(loaded, NULL, 0);
	list_init(&s->asked);
	list_init(&s->telling);
	return s;
}

void external_services_free(struct external_services **s)
{
	struct external_services *it = *s;

	*s = NULL;
	if (!it)
		return;
	external_list_free(&it->lines);
	external_list_free(&it->now);
	external_list_free(&it->before);
	external_list_free(&it->next);
	mem_free(it);
}

const struct external_list *external_services_now(const struct external_services *s)
{
	return s->now;
}

int external_services_reload(struct external_services *s, const struct config_list *lines, const char *keys_dir, struct err *e)
{
	struct external_list *fresh = external_list_load(lines, keys_dir, e);

	if (!fresh)
		return -1;
	external_list_free(&s->lines);
	s->lines = fresh;
	change_to(s, expand(s, fresh));
	return 0;
}

void external_services_look(struct external_services *s)
{
	for (uint32_t i = 0; i < s->lines->count; i++) {
		if (s->lines->items[i].of_flock) {
			change_to(s, expand(s, s->lines));
			return;
		}
	}
}

void external_services_asked(struct external_services *s, struct session *session, struct str type)
{
	for (uint32_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (str_is(type, types[i]))
			session->services_asked |= (uint8_t)(1u << i);
	}
	if (!type.n)
		session->services_asked |= ASKED_ALL;
	if (session->services_asked && list_unlinked(&session->services_node))
		list_push_back(&s->asked, &session->services_node);
}
