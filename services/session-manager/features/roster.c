/* SPDX-License-Identifier: Apache-2.0
 *
 * roster: jabber:iq:roster, RFC 6121 section 2: get with versions (2.6), set, remove. What changes the roster runs in the account's
 * serial turn; pushes come with the change (roster.h). */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/account.h"
#include "services/session-manager/deliver.h"
#include "services/session-manager/features/features.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/presence.h"
#include "services/session-manager/roster.h"
#include "services/session-manager/roster_delta.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_store.h"
#include "services/session-manager/sm.h"
#include "services/session-manager/subscribe.h"

#define NS_ROSTER      "jabber:iq:roster"
#define NAME_MAX_BYTES 1023
#define GROUPS_LIMIT   100

/* --- get --- */

static void answer_whole(struct iq *iq, const struct roster *r)
{
	struct buf out = { 0 };

	buf_printf(&out, "<query xmlns='" NS_ROSTER "' ver='%llu'>", (unsigned long long)r->version);
	list_for_each (n, &r->order) {
		const struct roster_item *i = list_entry(n, struct roster_item, node);

		if (!i->hidden)
			roster_write_item(&out, i);
	}
	buf_append_cstr(&out, "</query>");
	iq_result(iq, buf_str(&out));
	buf_fini(&out);
}

/* The version that the client has; false: none that could be ours. */
static bool known_version(struct iq *iq, uint64_t *out)
{
	struct str ver = xml_get(iq->child, "ver");
	char text[24];
	char *end;

	if (ver.n == 0 || ver.n >= sizeof(text))
		return false;
	memcpy(text, ver.p, ver.n);
	text[ver.n] = '\0';
	*out = strtoull(text, &end, 10);
	return *end == '\0';
}

static void answer_get(struct account *a, struct iq *iq)
{
	struct session *s = iq->stream ? session_find(a->sm, iq->stream) : NULL;
	uint64_t known = 0;
	bool versioned = known_version(iq, &known);

	/* Section 2.2: from now on an interested resource. */
	if (s && !s->interested) {
		s->interested = true;
		session_save(s);
	}
	if (versioned && known == a->roster->version)
		iq_result(iq, STR(""));
	else if (known && known < a->roster->version && s)
		roster_delta_send(a, iq, known, answer_whole);
	else
		answer_whole(iq, a->roster);
}

/* Behind what the client asked for before: it sees its own changes. */
static void get_turn(struct account *a, void *ctx)
{
	if (!a) {
		iq_fail(ctx, CODE(WRONG_OWNER));
		return;
	}
	answer_get(a, ctx);
	account_serial_done(a);
}

static void get(struct iq *iq)
{
	if (xml_first_element(iq->child))
		iq_error(iq, "bad-request", NULL);
	else
		account_serial(account_get(iq->sm, iq->account), get_turn, iq);
}

/* --- set --- */

/* What a set asks for; in the IQ's arena. */
struct edit {
	struct iq *iq;
	struct str jid, name;
	struct str groups[GROUPS_LIMIT];
	uint32_t group_count;
	bool remove;
};

static void set_done(struct account *a, int code, void *ctx)
{
	struct edit *e = ctx;

	if (code == CODE(OK))
		iq_result(e->iq, STR(""));
	else
		iq_fail(e->iq, code);
	if (a)
		account_serial_done(a);
}

static void set_turn(struct account *a, void *ctx)
{
	struct edit *e = ctx;
	struct roster_change c;

	if (!a) {
		iq_fail(e->iq, CODE(WRONG_OWNER));
		return;
	}
	if (!roster_find(a->roster, e->jid) && a->roster->count >= (uint32_t)a->sm->options->roster_max) {
		set_done(a, CODE(LIMIT), e);
		return;
	}
	roster_change_from(&c, a->roster, e->jid);
	roster_change_done(&c);
	c.name = e->name;
	c.groups = e->groups;
	c.group_count = e->group_count;
	c.hidden = false;
	roster_put(a, &c, NULL, set_done, e);
}

/* Section 2.5.2: the contact's side is told that the subscriptions are over. */
struct removal {
	struct edit *edit;
	enum sub_state state;
};

static void removed(struct account *a, int code, void *ctx)
{
	struct removal *r = ctx;
	struct edit *e = r->edit;
	int subscription;
	bool ask, pending_in;

	sub_unpack(r->state, &subscription, &ask, &pending_in);
	if (a && code == CODE(OK)) {
		const char *contact = arena_strndup(e->iq->arena, e->jid.p, e->jid.n);

		if (sub_has_to(r->state) || ask)
			subscribe_send(a, contact, TYPE_UNSUBSCRIBE, NULL, 0);
		if (sub_has_from(r->state) || pending_in)
			subscribe_send(a, contact, TYPE_UNSUBSCRIBED, NULL, 0);
		if (sub_has_from(r->state))
			presence_show(a, contact, false, NULL);
	}
	set_done(a, code, e);
}

static void remove_turn(struct account *a, void *ctx)
{
	struct edit *e = ctx;
	struct removal *r = arena_zalloc(e->iq->arena, sizeof(*r));
	const struct roster_item *i = a ? roster_find(a->roster, e->jid) : NULL;

	if (!a) {
		iq_fail(e->iq, CODE(WRONG_OWNER));
		return;
	}
	if (!i || i->hidden) {
		set_done(a, CODE(NOT_FOUND), e);
		return;
	}
	r->edit = e;
	r->state = i->state;
	roster_remove(a, e->jid, NULL, removed, r);
}

/* Section 2.3.3. NULL: fine. */
static const char *read_groups(struct edit *e, const struct xml_node *item)
{
	for (const struct xml_node *n = xml_first_element(item); n; n = xml_next_element(n)) {
		struct str group;

		if (!str_is(n->name, "group") || !str_is(n->ns, NS_ROSTER))
			continue;
		group = xml_text(e->iq->arena, n);
		if (group.n == 0 || group.n > NAME_MAX_BYTES || e->group_count == GROUPS_LIMIT)
			return "not-acceptable";
		for (uint32_t i = 0; i < e->group_count; i++) {
			if (str_eq(e->groups[i], group))
				return "bad-request";
		}
		e->groups[e->group_count++] = group;
	}
	return NULL;
}

static const char *read_item(struct edit *e)
{
	struct arena *arena = e->iq->arena;
	const struct xml_node *item = xml_first_element(e->iq->child);
	struct jid jid;

	if (!item || xml_next_element(item) || !str_is(item->name, "item") || !str_is(item->ns, NS_ROSTER))
		return "bad-request";
	if (jid_parse(xml_get(item, "jid"), &jid) != JID_OK)
		return xml_get(item, "jid").p ? "jid-malformed" : "bad-request";
	e->jid = arena_str(arena, jid.full);
	jid_fini(&jid);
	e->name = xml_get(item, "name");
	if (e->name.n > NAME_MAX_BYTES)
		return "not-acceptable";
	e->remove = str_is(xml_get(item, "subscription"), "remove");
	return read_groups(e, item);
}

static void set(struct iq *iq)
{
	struct edit *e = arena_zalloc(iq->arena, sizeof(*e));
	const char *condition;

	e->iq = iq;
	condition = read_item(e);
	if (condition) {
		iq_error(iq, condition, NULL);
		return;
	}
	account_serial(account_get(iq->sm, iq->account), e->remove ? remove_turn : set_turn, e);
}

/* Section 2.3.3: another's roster. */
static void refuse(struct iq *iq)
{
	iq_error(iq, "forbidden", NULL);
}

static const struct iq_row rows[] = {
	{ NS_ROSTER, "query", IQ_SELF, IQ_GET, get, false },
	{ NS_ROSTER, "query", IQ_SELF, IQ_SET, set, false },
	{ NS_ROSTER, "query", IQ_ACCOUNT, IQ_GET | IQ_SET, refuse, false },
	{ 0 },
};

static const char *const vars[] = { NS_ROSTER, NULL };

const struct iq_feature roster_feature = { "roster", rows, vars, vars };
