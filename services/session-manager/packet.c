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

struct parcel *parcel_new(struct sm *sm, const struct packet *p)
{
	const Starling__StanzaMeta *m = p->meta;
	size_t text =
	        strlen(m->from) + strlen(m->to) + strlen(m->id) + strlen(m->child_name) + strlen(m->child_ns) + strlen(m->origin_id) + 6;
	size_t size = sizeof(struct parcel) + text + p->bytes.n + p->extra.n;
	struct parcel *c = mem_alloc(size);
	char *at = (char *)(c + 1);

	*c = (struct parcel){ .packet = *p, .meta = *m, .sm = sm, .size = size, .since_ms = clock_mono_ms() };
	list_init(&c->node);
	c->meta.base = (ProtobufCMessage)PROTOBUF_C_MESSAGE_INIT(&starling__stanza_meta__descriptor);
	c->meta.from = place(&at, m->from);
	c->meta.to = place(&at, m->to);
	c->meta.id = place(&at, m->id);
	c->meta.child_name = place(&at, m->child_name);
	c->meta.child_ns = place(&at, m->child_ns);
	c->meta.origin_id = place(&at, m->origin_id);
	c->packet.bytes = place_bytes(&at, p->bytes);
	c->packet.extra = place_bytes(&at, p->extra);
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
