/* SPDX-License-Identifier: Apache-2.0
 *
 * Roster pushes (RFC 6121 section 2.1.6): a set from the account itself to each of its interested resources. Their results are dropped. */
#include <stdio.h>

#include "common/base/clock.h"
#include "common/xml/xml.h"
#include "services/session-manager/account.h"
#include "services/session-manager/deliver.h"
#include "services/session-manager/roster.h"
#include "services/session-manager/session.h"

static const char *const subscription_text[] = { "none", "to", "from", "both" };

void roster_write_item(struct buf *out, const struct roster_item *i)
{
	int subscription;
	bool ask, pending_in;

	sub_unpack(i->state, &subscription, &ask, &pending_in);
	buf_append_cstr(out, "<item");
	xml_attr(out, "jid", str_from(i->jid));
	if (i->name[0])
		xml_attr(out, "name", str_from(i->name));
	xml_attr(out, "subscription", str_from(subscription_text[subscription]));
	if (ask)
		buf_append_cstr(out, " ask='subscribe'");
	if (i->approved)
		buf_append_cstr(out, " approved='true'");
	if (i->group_count == 0) {
		buf_append_cstr(out, "/>");
		return;
	}
	buf_append_cstr(out, ">");
	for (uint32_t g = 0; g < i->group_count; g++) {
		buf_append_cstr(out, "<group>");
		xml_escape(out, str_from(i->groups[g]));
		buf_append_cstr(out, "</group>");
	}
	buf_append_cstr(out, "</item>");
}

/* only: NULL for all interested resources. */
static void push(struct account *a, struct session *only, uint64_t version, struct str item)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	struct packet p = { .meta = &meta };
	struct buf bytes = { 0 };
	char id[24];

	snprintf(id, sizeof(id), "push-%llx", (unsigned long long)version);
	buf_printf(&bytes, "<iq id='%s' type='set'><query xmlns='jabber:iq:roster' ver='%llu'>", id, (unsigned long long)version);
	buf_append_str(&bytes, item);
	buf_append_cstr(&bytes, "</query></iq>");
	meta.kind = KIND_IQ;
	meta.type = TYPE_SET;
	meta.from = a->bare_text;
	meta.to = only ? only->full_text : a->bare_text;
	meta.id = id;
	p.bytes = buf_str(&bytes);
	if (only)
		deliver_to_session(only, &p);
	else
		deliver_to(a, &p, deliver_if_interested, NULL);
	buf_fini(&bytes);
}

static void push_item(struct account *a, struct session *only, const struct roster_item *i)
{
	struct buf item = { 0 };

	roster_write_item(&item, i);
	push(a, only, i->version, buf_str(&item));
	buf_fini(&item);
}

static void push_removed(struct account *a, struct session *only, const char *jid, uint64_t version)
{
	struct buf item = { 0 };

	buf_append_cstr(&item, "<item");
	xml_attr(&item, "jid", str_from(jid));
	buf_append_cstr(&item, " subscription='remove'/>");
	push(a, only, version, buf_str(&item));
	buf_fini(&item);
}

void roster_push(struct account *a, const struct roster_item *i)
{
	push_item(a, NULL, i);
}

void roster_push_removed(struct account *a, const char *jid, uint64_t version)
{
	push_removed(a, NULL, jid, version);
}

void roster_push_to(struct session *s, const struct roster_item *i)
{
	push_item(s->account, s, i);
}

void roster_push_removed_to(struct session *s, const char *jid, uint64_t version)
{
	push_removed(s->account, s, jid, version);
}
