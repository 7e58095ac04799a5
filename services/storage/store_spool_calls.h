/* SPDX-License-Identifier: Apache-2.0
 *
 * store_spool_calls: for the tests of the spool: its calls. */
#ifndef STORAGE_STORE_SPOOL_CALLS_H
#define STORAGE_STORE_SPOOL_CALLS_H

#include "common/base/hash.h"
#include "services/storage/store_calls.h"

struct spooled {
	const char *domain, *body, *extra;
	int64_t time_us;
	uint64_t stream, number;
	bool again;
	uint32_t max_count;
	uint64_t max_bytes, epoch; /* epoch 0: no fence */
};

static inline Starling__Fence spool_fence(const char *domain, uint64_t epoch)
{
	Starling__Fence fence = STARLING__FENCE__INIT;

	fence.slot = hash_slot(str_from(domain));
	fence.epoch = epoch;
	return fence;
}

static inline void spool_send_to(struct store *store, const struct spooled *s, struct answer *a)
{
	Starling__SpoolAppendRequest r = STARLING__SPOOL_APPEND_REQUEST__INIT;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	Starling__Fence fence = spool_fence(s->domain, s->epoch);

	meta.kind = STARLING__STANZA_KIND__STANZA_MESSAGE;
	meta.from = (char *)"romeo@spool.example/orchard";
	meta.to = (char *)s->domain;
	r.domain = (char *)s->domain;
	r.meta = &meta;
	if (s->extra)
		r.extra = data(s->extra);
	r.time_us = s->time_us;
	r.key_stream = s->stream;
	r.key_number = s->number;
	r.again = s->again;
	r.max_count = s->max_count;
	r.max_bytes = s->max_bytes;
	r.fence = s->epoch ? &fence : NULL;
	*a = (struct answer){ 0 };
	store_submit(store, METHOD_STORAGE_SPOOL_APPEND & 0xff, &r.base, str_from(s->body ? s->body : "<message/>"), 0, fixture_on_answer,
	             a);
}

static inline void spool_send(struct fixture *f, const struct spooled *s, struct answer *a)
{
	spool_send_to(f->store, s, a);
}

static inline uint64_t spool_id(const struct answer *a)
{
	return a->reply ? ((const Starling__SpoolAppendReply *)a->reply)->id : 0;
}

static inline int spool_append_call(struct fixture *f, const struct spooled *s, uint64_t *out_id)
{
	struct answer a;
	int code;

	spool_send(f, s, &a);
	assert_true(fixture_until(f, &a.done));
	code = a.code;
	if (out_id)
		*out_id = spool_id(&a);
	answer_free(&a);
	return code;
}

static inline uint64_t spool_append_ok(struct fixture *f, const struct spooled *s)
{
	uint64_t id;

	assert_int_equal(spool_append_call(f, s, &id), OK);
	assert_true(id > 0);
	return id;
}

static inline int spool_done_call(struct fixture *f, const char *domain, uint64_t *ids, size_t n, uint64_t epoch)
{
	Starling__SpoolDoneRequest r = STARLING__SPOOL_DONE_REQUEST__INIT;
	Starling__Fence fence = spool_fence(domain, epoch);

	r.domain = (char *)domain;
	r.ids = ids;
	r.n_ids = n;
	r.fence = epoch ? &fence : NULL;
	return fixture_code(f, METHOD_STORAGE_SPOOL_DONE, &r);
}

/* The reply is freed by answer_free. */
static inline const Starling__SpoolFetchReply *spool_fetch_call(struct fixture *f, const char *domain, uint64_t after, uint32_t limit,
                                                                struct answer *out)
{
	Starling__SpoolFetchRequest r = STARLING__SPOOL_FETCH_REQUEST__INIT;

	r.domain = (char *)domain;
	r.after = after;
	r.limit = limit;
	*out = fixture_call(f, METHOD_STORAGE_SPOOL_FETCH, &r, STR(""));
	assert_int_equal(out->code, OK);
	return (const Starling__SpoolFetchReply *)out->reply;
}

static inline size_t spool_count(struct fixture *f, const char *domain)
{
	struct answer a;
	size_t n = spool_fetch_call(f, domain, 0, 500, &a)->n_entries;

	answer_free(&a);
	return n;
}

/* What SpoolDomains says of one domain; zeroes where it does not list it. */
static inline Starling__SpoolDomain spool_domain_of(struct fixture *f, const char *domain)
{
	Starling__SpoolDomainsRequest r = STARLING__SPOOL_DOMAINS_REQUEST__INIT;
	Starling__SpoolDomain found = STARLING__SPOOL_DOMAIN__INIT;
	uint32_t slot = hash_slot(str_from(domain));
	const Starling__SpoolDomainsReply *reply;
	struct answer a;

	r.slots = &slot;
	r.n_slots = 1;
	a = fixture_call(f, METHOD_STORAGE_SPOOL_DOMAINS, &r, STR(""));
	assert_int_equal(a.code, OK);
	reply = (const Starling__SpoolDomainsReply *)a.reply;
	for (size_t i = 0; i < reply->n_domains; i++)
		if (strcmp(reply->domains[i]->domain, domain) == 0)
			found = *reply->domains[i];
	found.domain = NULL;
	answer_free(&a);
	return found;
}

/* The owners are freed by answer_free. */
static inline struct answer spool_claim_to(struct fixture *f, struct store *store, uint32_t *slots, size_t n, uint64_t instance,
                                           uint64_t *alive, size_t n_alive)
{
	Starling__SpoolClaimRequest r = STARLING__SPOOL_CLAIM_REQUEST__INIT;
	struct answer a = { 0 };

	r.slots = slots;
	r.n_slots = n;
	r.instance = instance;
	r.alive = alive;
	r.n_alive = n_alive;
	store_submit(store, METHOD_STORAGE_SPOOL_CLAIM & 0xff, &r.base, STR(""), 0, fixture_on_answer, &a);
	assert_true(fixture_until(f, &a.done));
	return a;
}

/* The owner of a domain's slot after the claim. */
static inline Starling__SpoolOwner spool_claim_call(struct fixture *f, const char *domain, uint64_t instance, uint64_t *alive, size_t n)
{
	uint32_t slot = hash_slot(str_from(domain));
	struct answer a = spool_claim_to(f, f->store, &slot, 1, instance, alive, n);
	const Starling__SpoolOwnersReply *r = (const Starling__SpoolOwnersReply *)a.reply;
	Starling__SpoolOwner owner;

	assert_int_equal(a.code, OK);
	assert_int_equal(r->n_owners, 1);
	owner = *r->owners[0];
	assert_int_equal(owner.slot, slot);
	answer_free(&a);
	return owner;
}

static inline int spool_release_call(struct fixture *f, const Starling__SpoolOwner *owner)
{
	Starling__SpoolReleaseRequest r = STARLING__SPOOL_RELEASE_REQUEST__INIT;
	Starling__SpoolOwner copy = *owner, *list = &copy;

	r.owners = &list;
	r.n_owners = 1;
	return fixture_code(f, METHOD_STORAGE_SPOOL_RELEASE, &r);
}

#endif
