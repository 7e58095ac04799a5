/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_spool: stands in for the bus and the store in unit tests of s2s, which include it once a program. Calls wait until the test has the store serve them,
 * lose them before or after they were done, or do them long after they were given up. One slot, that of THERE; one link, from HERE to it, whose next attempt
 * at a stream is far away. */
#ifndef S2S_FAKE_SPOOL_H
#define S2S_FAKE_SPOOL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/daemon/daemon_for_test.h"
#include "ipc/gen/stanza.server.h"
#include "ipc/gen/storage.client.h"
#include "ipc/runtime/ipc_for_test.h"
#include "services/s2s/s2s.h"

/* A test program need not use all of it. */
#pragma GCC diagnostic ignored "-Wunused-function"

#define ME       100u
#define OTHER    101u
#define STORE    400u
#define HERE     "here.example"
#define BESIDE   "beside.example" /* another host of ours */
#define THERE    "there.example"
#define FAKE_MAX 256
#define CODE(c)  STARLING__CODE__CODE_##c

struct ipc_call {
	struct str payload;
	int code; /* -1: not answered */
};

struct fake_call {
	uint32_t method;
	uint64_t to;
	ProtobufCMessage *request;
	char *payload;
	ipc_done_fn done;
	void *ctx;
};

static struct {
	struct s2s s2s;
	struct s2s_config config;
	struct s2s_link *link;
	const char *from;      /* who writes, and what */
	uint64_t sender_epoch; /* of what is routed */
	Starling__StanzaKind kind;
	struct fake_call calls[FAKE_MAX], given_up[FAKE_MAX];
	size_t call_count, given_up_count;
	/* the store */
	struct {
		uint64_t id, stream, number;
		char *body;
	} rows[FAKE_MAX];
	size_t row_count;
	uint64_t next_id, epoch, owner;
	bool other_alive;
} fake;

#include "services/s2s/fake_bus.h"

/* --- the store ---------------------------------------------------------------------------------------------------- */

static int fake_find(uint64_t stream, uint64_t number)
{
	for (size_t i = 0; i < fake.row_count; i++) {
		if (fake.rows[i].stream == stream && fake.rows[i].number == number)
			return (int)i;
	}
	return -1;
}

static int fake_append(const struct fake_call *c, Starling__SpoolAppendReply *reply)
{
	const Starling__SpoolAppendRequest *r = (const Starling__SpoolAppendRequest *)c->request;
	int had = r->again && r->key_stream ? fake_find(r->key_stream, r->key_number) : -1;

	if (r->fence->epoch != fake.epoch)
		return CODE(FENCED);
	if (had < 0) {
		had = (int)fake.row_count++;
		fake.rows[had].id = ++fake.next_id;
		fake.rows[had].stream = r->key_stream;
		fake.rows[had].number = r->key_number;
		fake.rows[had].body = mem_strdup(c->payload);
	}
	reply->id = fake.rows[had].id;
	return 0;
}

static int fake_done(const Starling__SpoolDoneRequest *r)
{
	if (r->fence->epoch != fake.epoch)
		return CODE(FENCED);
	for (size_t k = 0; k < r->n_ids; k++) {
		for (size_t i = 0; i < fake.row_count; i++) {
			if (fake.rows[i].id != r->ids[k])
				continue;
			mem_free(fake.rows[i].body);
			memmove(&fake.rows[i], &fake.rows[i + 1], (--fake.row_count - i) * sizeof(fake.rows[0]));
			break;
		}
	}
	return 0;
}

static void fake_claim(const Starling__SpoolClaimRequest *r, Starling__SpoolOwner *owner)
{
	bool stays = fake.owner == r->instance ? fake.epoch != r->renew : false;

	for (size_t i = 0; i < r->n_alive; i++)
		stays = stays || (fake.owner != r->instance && fake.owner == r->alive[i]);
	if (!stays) {
		fake.owner = r->instance;
		fake.epoch++;
	}
	owner->slot = r->slots[0];
	owner->epoch = fake.epoch;
	owner->instance = fake.owner;
}

static int fake_release(const Starling__SpoolReleaseRequest *r)
{
	if (r->owners[0]->epoch == fake.epoch && r->owners[0]->instance == fake.owner)
		fake.owner = 0;
	return 0;
}

/* Does it; answers unless `silent`. */
static void fake_do(const struct fake_call *c, bool silent)
{
	Starling__SpoolAppendReply appended = STARLING__SPOOL_APPEND_REPLY__INIT;
	Starling__SpoolOwnersReply owners = STARLING__SPOOL_OWNERS_REPLY__INIT;
	Starling__SpoolOwner owner = STARLING__SPOOL_OWNER__INIT, *list = &owner;
	Starling__SpoolFetchReply fetched = STARLING__SPOOL_FETCH_REPLY__INIT;
	Starling__SpoolEntry entries[FAKE_MAX], *entry_list[FAKE_MAX];
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	Starling__Empty nothing = STARLING__EMPTY__INIT;
	Starling__SpoolDomainsReply domains = STARLING__SPOOL_DOMAINS_REPLY__INIT; /* none */
	const ProtobufCMessage *reply = &nothing.base;
	struct ipc_result result = { .text = "" };

	if (c->method == METHOD_STORAGE_SPOOL_APPEND) {
		result.code = fake_append(c, &appended);
		reply = &appended.base;
	} else if (c->method == METHOD_STORAGE_SPOOL_DONE) {
		result.code = fake_done((const Starling__SpoolDoneRequest *)c->request);
	} else if (c->method == METHOD_STORAGE_SPOOL_RELEASE) {
		result.code = fake_release((const Starling__SpoolReleaseRequest *)c->request);
	} else if (c->method == METHOD_STORAGE_SPOOL_CLAIM) {
		fake_claim((const Starling__SpoolClaimRequest *)c->request, &owner);
		owners.owners = &list;
		owners.n_owners = 1;
		reply = &owners.base;
	} else if (c->method == METHOD_STORAGE_SPOOL_DOMAINS) {
		reply = &domains.base;
	} else {
		assert_int_equal(c->method, METHOD_STORAGE_SPOOL_FETCH);
		meta.kind = STARLING__STANZA_KIND__STANZA_MESSAGE;
		meta.flags = STANZA_BODY;
		meta.from = (char *)"a@" HERE;
		meta.to = (char *)"b@" THERE;
		for (size_t i = 0; i < fake.row_count; i++) {
			if (fake.rows[i].id <= ((const Starling__SpoolFetchRequest *)c->request)->after)
				continue;
			starling__spool_entry__init(&entries[fetched.n_entries]);
			entries[fetched.n_entries].id = fake.rows[i].id;
			entries[fetched.n_entries].key_stream = fake.rows[i].stream;
			entries[fetched.n_entries].key_number = fake.rows[i].number;
			entries[fetched.n_entries].time_us = INT64_MAX;
			entries[fetched.n_entries].meta = &meta;
			entries[fetched.n_entries].stanza =
			        (ProtobufCBinaryData){ strlen(fake.rows[i].body), (uint8_t *)fake.rows[i].body };
			entry_list[fetched.n_entries] = &entries[fetched.n_entries];
			fetched.n_entries++;
		}
		fetched.entries = entry_list;
		fetched.complete = true;
		reply = &fetched.base;
	}
	if (!silent)
		c->done(&result, result.code ? NULL : reply, c->ctx);
}

static void fake_call_free(struct fake_call *c)
{
	protobuf_c_message_free_unpacked(c->request, NULL);
	mem_free(c->payload);
}

/* --- for tests ---------------------------------------------------------------------------------------------------- */

static size_t waiting(uint32_t method)
{
	size_t n = 0;

	for (size_t i = 0; i < fake.call_count; i++)
		n += fake.calls[i].method == method;
	return n;
}

/* The first of its kind, which must be there. */
static struct fake_call take(uint32_t method)
{
	for (size_t i = 0; i < fake.call_count; i++) {
		struct fake_call c = fake.calls[i];

		if (c.method != method)
			continue;
		memmove(&fake.calls[i], &fake.calls[i + 1], (--fake.call_count - i) * sizeof(c));
		return c;
	}
	fail_msg("no call of method %x", (unsigned)method);
	return (struct fake_call){ 0 };
}

static void serve(uint32_t method)
{
	struct fake_call c = take(method);

	fake_do(&c, false);
	fake_call_free(&c);
}

static void serve_all(void)
{
	while (fake.call_count > 0)
		serve(fake.calls[0].method);
}

enum fate { BEFORE, AFTER };

/* The answer does not come. AFTER: it was done; BEFORE: it may be still, by do_late. */
static void lose(uint32_t method, enum fate fate, int code)
{
	struct ipc_result result = { .code = code, .text = "" };
	struct fake_call c = take(method);

	if (fate == AFTER)
		fake_do(&c, true);
	c.done(&result, NULL, c.ctx);
	if (fate == BEFORE)
		fake.given_up[fake.given_up_count++] = c;
	else
		fake_call_free(&c);
}

static void do_late(void)
{
	for (size_t i = 0; i < fake.given_up_count; i++) {
		fake_do(&fake.given_up[i], true);
		fake_call_free(&fake.given_up[i]);
	}
	fake.given_up_count = 0;
}

static void tick(void)
{
	list_for_each_safe (n, &fake.s2s.links)
		s2s_link_tick(list_entry(n, struct s2s_link, node), net_now(fake.s2s.net));
	s2s_spool_flush(&fake.s2s);
}

/* A stanza with that key; 0: none. */
static void route(struct ipc_call *call, const char *body, uint64_t key, bool again)
{
	Starling__RouteRequest r = STARLING__ROUTE_REQUEST__INIT;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	*call = (struct ipc_call){ .payload = str_from(body), .code = -1 };
	meta.kind = fake.kind;
	meta.type = fake.kind == STARLING__STANZA_KIND__STANZA_IQ ? STARLING__STANZA_TYPE__TYPE_GET : STARLING__STANZA_TYPE__TYPE_CHAT;
	meta.flags = STANZA_BODY;
	meta.from = (char *)(uintptr_t)fake.from;
	meta.to = (char *)"romeo@" THERE;
	r.meta = &meta;
	r.key_stream = key ? 1 : 0;
	r.key_number = key;
	r.again = again;
	r.sender_epoch = fake.sender_epoch;
	on_stanza_take(call, &r);
}

static int set_up(void **state)
{
	static char *hosts[] = { (char *)HERE, (char *)BESIDE };
	struct s2s *s = &fake.s2s;

	(void)state;
	memset(&fake, 0, sizeof(fake));
	skeleton = (struct skeleton){ .config = &fake.config };
	uv_loop_init(&skeleton.loop);
	fake.config = (struct s2s_config){
		.link_stanzas = 100, .unacked = 100, .output_bytes = 1 << 20, .memory_bytes = 1 << 20, .spool_age_ms = 3600000
	};
	skeleton.shared.hosts.items = hosts;
	skeleton.shared.hosts.count = 2;
	fake.from = "juliet@" HERE;
	fake.kind = STARLING__STANZA_KIND__STANZA_MESSAGE;
	s->config = &fake.config;
	s->log = &skeleton.log;
	s->net = net_loop_new(&skeleton.loop);
	s->append_stream = 77;
	list_init(&s->streams);
	list_init(&s->links);
	list_init(&s->dones);
	list_init(&s->questions);
	s->buckets = mem_alloc(S2S_BUCKETS * sizeof(*s->buckets));
	for (uint32_t i = 0; i < S2S_BUCKETS; i++)
		list_init(&s->buckets[i]);
	fake.epoch = 5;
	fake.owner = ME;
	fake.link = s2s_link_get(s, STR(HERE), STR(THERE));
	fake.link->state = S2S_LINK_RESTING;
	fake.link->next_ms = UINT64_MAX;
	s->slots[fake.link->slot].state = S2S_SLOT_OWNED;
	s->slots[fake.link->slot].epoch = 5;
	return 0;
}

static int tear_down(void **state)
{
	struct s2s *s = &fake.s2s;

	(void)state;
	do_late();
	while (fake.call_count > 0)
		lose(fake.calls[0].method, AFTER, CODE(PEER_LOST));
	s->stopped = true;
	list_for_each_safe (n, &s->links) {
		s2s_link_abandon(list_entry(n, struct s2s_link, node), CODE(UNAVAILABLE));
		s2s_link_free(list_entry(n, struct s2s_link, node));
	}
	s2s_lanes_fini(s);
	s2s_spool_fini(s);
	for (size_t i = 0; i < fake.row_count; i++)
		mem_free(fake.rows[i].body);
	mem_free(s->buckets);
	net_loop_free(&s->net);
	uv_run(&skeleton.loop, UV_RUN_DEFAULT);
	uv_loop_close(&skeleton.loop);
	return 0;
}

#endif
