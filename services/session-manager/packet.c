/* SPDX-License-Identifier: Apache-2.0
 *
 * A parcel is one allocation: the struct, then its strings, then its bytes. */
#include "services/session-manager/packet.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/session-manager/sm.h"

static char *place(char **at, const char *cstr)
{
	size_t n = strlen(cstr) + 1;
	char *copy = memcpy(*at, cstr, n);

	*at += n;
	return copy;
}

static struct str place_bytes(char **at, struct str s)
{
	if (s.n)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return str_make(*at - s.n, s.n);
}

size_t packet_text_size(const struct packet *p)
{
	const Starling__StanzaMeta *m = p->meta;

	return strlen(m->from) + strlen(m->to) + strlen(m->id) + strlen(m->child_name) + strlen(m->child_ns) + strlen(m->origin_id) + 6 +
	       p->bytes.n + p->extra.n;
}

void packet_copy(const struct packet *p, char *at, Starling__StanzaMeta *meta, struct str *bytes, struct str *extra)
{
	const Starling__StanzaMeta *m = p->meta;

	*meta = *m;
	meta->base = (ProtobufCMessage)PROTOBUF_C_MESSAGE_INIT(&starling__stanza_meta__descriptor);
	meta->from = place(&at, m->from);
	meta->to = place(&at, m->to);
	meta->id = place(&at, m->id);
	meta->child_name = place(&at, m->child_name);
	meta->child_ns = place(&at, m->child_ns);
	meta->origin_id = place(&at, m->origin_id);
	*bytes = place_bytes(&at, p->bytes);
	*extra = place_bytes(&at, p->extra);
}

struct parcel *parcel_new(struct sm *sm, const struct packet *p)
{
	size_t size = sizeof(struct parcel) + packet_text_size(p);
	struct parcel *c = mem_alloc(size);

	*c = (struct parcel){ .packet = *p, .sm = sm, .size = size, .since_ms = clock_mono_ms() };
	list_init(&c->node);
	packet_copy(p, (char *)(c + 1), &c->meta, &c->packet.bytes, &c->packet.extra);
	c->packet.meta = &c->meta;
	receipt_hold(p->receipt);
	sm_account_pending(sm, size, true);
	return c;
}

void parcel_free(struct parcel **p)
{
	struct parcel *c = *p;
	struct receipt *receipt;

	if (!c)
		return;
	*p = NULL;
	receipt = c->packet.receipt;
	if (!list_unlinked(&c->node))
		list_remove(&c->node);
	sm_account_pending(c->sm, c->size, false);
	mem_free(c);
	receipt_release(receipt);
}
