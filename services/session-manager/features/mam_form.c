/* SPDX-License-Identifier: Apache-2.0
 *
 * XEP-0313 section 4.1: what a query asks for becomes bounds of positions in the log. A time is a position, since positions are times. */
#include <stdlib.h>

#include "common/xmpp/dataform.h"
#include "common/xmpp/datetime.h"
#include "common/xmpp/jid.h"
#include "common/xmpp/rsm.h"
#include "services/session-manager/archive_rules.h"
#include "services/session-manager/features/mam.h"

struct reading {
	struct arena *arena;
	struct mam_query *q;
	struct mam_fault *fault;
};

static bool wrong(struct reading *r, const char *condition, const char *text)
{
	*r->fault = (struct mam_fault){ condition, text };
	return false;
}

static void at_least(struct mam_query *q, uint64_t id)
{
	if (id > q->request.from_id)
		q->request.from_id = id;
}

/* No message has position 1: it stands for bounds that nothing lies in. */
static void at_most(struct mam_query *q, uint64_t id)
{
	if (id == 0)
		id = 1;
	if (q->request.to_id == 0 || id < q->request.to_id)
		q->request.to_id = id;
	q->open = false;
}

/* --- fields --- */

static bool read_with(struct reading *r, const struct dataform_field *f)
{
	struct jid jid;

	if (jid_parse(f->values[0], &jid) != JID_OK)
		return wrong(r, "bad-request", "with is not a JID.");
	r->q->request.with = arena_strndup(r->arena, jid.full.p, jid.full.n);
	r->q->open = false;
	jid_fini(&jid);
	return true;
}

static bool read_start(struct reading *r, const struct dataform_field *f)
{
	int64_t us;

	if (!datetime_parse(f->values[0], &us))
		return wrong(r, "bad-request", "start is not a time as in XEP-0082.");
	at_least(r->q, us > 0 ? (uint64_t)us : 0);
	return true;
}

static bool read_end(struct reading *r, const struct dataform_field *f)
{
	int64_t us;

	if (!datetime_parse(f->values[0], &us))
		return wrong(r, "bad-request", "end is not a time as in XEP-0082.");
	at_most(r->q, us > 0 ? (uint64_t)us : 0);
	return true;
}

/* To clients ids are opaque: what cannot be one is one that is not there. */
static bool read_id(struct reading *r, struct str text, uint64_t *out)
{
	return archive_id_read(text, out) || wrong(r, "item-not-found", NULL);
}

static bool read_named(struct reading *r, const struct dataform_field *f, uint64_t *out)
{
	if (!read_id(r, f->values[0], out))
		return false;
	r->q->named[r->q->named_n++] = *out;
	return true;
}

static bool read_after_id(struct reading *r, const struct dataform_field *f)
{
	uint64_t id;

	if (!read_named(r, f, &id))
		return false;
	at_least(r->q, id + 1);
	return true;
}

static bool read_before_id(struct reading *r, const struct dataform_field *f)
{
	uint64_t id;

	if (!read_named(r, f, &id))
		return false;
	at_most(r->q, id - 1);
	return true;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Rising, and each once. */
static bool read_ids(struct reading *r, const struct dataform_field *f)
{
	Starling__LogQueryRequest *q = &r->q->request;
	uint64_t *ids = arena_alloc(r->arena, f->count * sizeof(*ids));

	if (f->count > MAM_IDS_MAX)
		return wrong(r, "policy-violation", "Too many ids at a time.");
	for (uint32_t i = 0; i < f->count; i++) {
		if (!read_id(r, f->values[i], &ids[i]))
			return false;
	}
	qsort(ids, f->count, sizeof(*ids), compare);
	q->ids = ids;
	for (uint32_t i = 0; i < f->count; i++) {
		if (q->n_ids == 0 || ids[i] != ids[q->n_ids - 1])
			ids[q->n_ids++] = ids[i];
	}
	r->q->open = false;
	return true;
}

/* Messages of rooms are in the rooms' archives, so either answer gives the same. */
static bool read_groupchat(struct reading *r, const struct dataform_field *f)
{
	bool include;

	return dataform_bool(f->values[0], &include) || wrong(r, "bad-request", "include-groupchat is neither true nor false.");
}

static const struct field {
	const char *var;
	bool (*read)(struct reading *r, const struct dataform_field *f);
	bool many;
} fields[] = {
	{ "with", read_with, false },
	{ "start", read_start, false },
	{ "end", read_end, false },
	{ "before-id", read_before_id, false },
	{ "after-id", read_after_id, false },
	{ "ids", read_ids, true },
	{ "include-groupchat", read_groupchat, false },
};

struct str mam_form(void)
{
	return STR("<query xmlns='" NS_MAM "'><x xmlns='" NS_DATAFORM "' type='form'>"
	           "<field type='hidden' var='FORM_TYPE'><value>" NS_MAM "</value></field>"
	           "<field type='jid-single' var='with'/>"
	           "<field type='text-single' var='start'/>"
	           "<field type='text-single' var='end'/>"
	           "<field type='text-single' var='before-id'/>"
	           "<field type='text-single' var='after-id'/>"
	           "<field type='list-multi' var='ids'><validate xmlns='http://jabber.org/protocol/xdata-validate' "
	           "datatype='xs:string'><open/>"
	           "</validate></field>"
	           "<field type='boolean' var='include-groupchat'/>"
	           "</x></query>");
}

static bool read_field(struct reading *r, const struct dataform_field *f)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!str_is(f->var, fields[i].var))
			continue;
		if (f->count == 0)
			return true;
		if (f->count > 1 && !fields[i].many)
			return wrong(r, "bad-request", "A field has more than one value.");
		return fields[i].read(r, f);
	}
	/* Section 4.1.5. */
	return wrong(r, "feature-not-implemented", "There is no such field.");
}

static bool read_form(struct reading *r)
{
	const struct xml_node *x = xml_child(r->q->turn.iq->child, "x", NS_DATAFORM);
	struct dataform form;
	const char *fault;

	if (!x)
		return true;
	fault = dataform_read(r->arena, x, &form);
	if (fault)
		return wrong(r, "bad-request", fault);
	if (!str_is(form.form_type, NS_MAM))
		return wrong(r, "bad-request", "FORM_TYPE must be " NS_MAM ".");
	for (const struct dataform_field *f = form.fields; f; f = f->next) {
		if (!read_field(r, f))
			return false;
	}
	return true;
}

/* Section 4.3, XEP-0059. */
static bool read_page(struct reading *r, uint32_t page_max)
{
	Starling__LogQueryRequest *q = &r->q->request;
	uint64_t want = q->n_ids ? q->n_ids : MAM_PAGE;
	struct rsm rsm;

	if (!rsm_read(r->arena, r->q->turn.iq->child, &rsm))
		return wrong(r, "bad-request", "max and index are numbers.");
	/* Counting up to an index costs as much as reading what is before it (XEP-0059 section 2.6). */
	if (rsm.has_index && rsm.index > 0)
		return wrong(r, "feature-not-implemented", "Pages are asked for by after and before.");
	if (rsm.after.n && !read_id(r, rsm.after, &q->after))
		return false;
	if (rsm.before.n && !read_id(r, rsm.before, &q->before))
		return false;
	if (rsm.has_max)
		want = rsm.max;
	q->limit = want < page_max ? (uint32_t)want : page_max;
	q->backward = rsm.backward;
	q->require_after = q->after || q->before;
	q->count = true;
	return true;
}

bool mam_read(struct iq *iq, uint32_t page_max, struct mam_query *out, struct mam_fault *fault)
{
	struct reading r = { iq->arena, out, fault };

	*out = (struct mam_query){ .turn.iq = iq, .open = true, .queryid = xml_get(iq->child, "queryid") };
	starling__log_query_request__init(&out->request);
	out->request.account = arena_strndup(iq->arena, iq->account.p, iq->account.n);
	out->flip = xml_child(iq->child, "flip-page", NS_MAM);
	/* Section 6.1.3: nodes are those of pubsub. */
	if (xml_get(iq->child, "node").n > 0)
		return wrong(&r, "item-not-found", NULL);
	return read_form(&r) && read_page(&r, page_max);
}
