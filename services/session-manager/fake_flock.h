/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_flock: stands in for the bus, Redis and the store in unit tests of the session-manager, which include it once a program. What is sent
 * is recorded; calls are answered when fake_turn() runs, never before the call returned. All slots are served here with epoch 5; one that a
 * test makes foreign belongs to instance OTHER. */
#ifndef SESSION_MANAGER_FAKE_FLOCK_H
#define SESSION_MANAGER_FAKE_FLOCK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/daemon/daemon_for_test.h"
#include "ipc/gen/admin.server.h"
#include "ipc/gen/edge.client.h"
#include "ipc/gen/session.server.h"
#include "ipc/gen/stanza.client.h"
#include "ipc/gen/stanza.server.h"
#include "ipc/gen/storage.client.h"
#include "ipc/runtime/ipc_for_test.h"
#include "services/session-manager/account.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/ownership_impl.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"

/* A test program need not use all of it. */
#pragma GCC diagnostic ignored "-Wunused-function"

#define ME       100u
#define EDGE     200u
#define OTHER    300u
#define STORE    400u
#define EDGE2    201u
#define S2S      500u
#define FAKE_MAX 4096
#define TEXT(s)  ((char *)(s))

struct ipc_call {
	uint64_t source;
	struct str payload;
	int code; /* -1: not answered */
	ProtobufCMessage *reply;
};

struct fake_record {
	uint32_t method;
	uint64_t to;
	ProtobufCMessage *message;
	char *payload;
	ipc_done_fn done; /* NULL: an event */
	void *ctx;
};

static struct {
	struct sm *sm;
	struct sm_options options;
	struct fake_record sent[FAKE_MAX]; /* events */
	size_t sent_count;
	struct fake_record calls[FAKE_MAX]; /* waiting for an answer */
	size_t call_count;
	struct {
		redis_fn fn;
		void *ctx;
		bool list, get;
	} redis[FAKE_MAX];
	size_t redis_count;
	/* the store */
	struct fake_row {
		uint64_t id;
		Starling__LogAppendRequest *request;
		char *stanza;
	} rows[FAKE_MAX];
	size_t row_count;
	uint64_t delivered; /* what the owner wrote last */
	uint64_t holes[64];
	size_t hole_count;
	uint32_t writes;
	uint64_t roster_version, next_id;
	uint32_t appends;
	int storage_code;     /* every storage call fails with it */
	int append_code;      /* every LogAppend does */
	int route_code;       /* every Route call does */
	const char *held_for; /* LogAppend calls for this recipient stay unanswered */
	uint32_t routed;
	char *routed_body[FAKE_MAX];
	struct {
		struct packet_key key;
		bool again;
	} routed_as[FAKE_MAX];
	const char *relays[2]; /* where turn-relays say that they are reached; NULL: there is none */
	bool s2s_alive;        /* there is an s2s */
	bool redis_says;       /* yes, to a GET */
	bool lose_answers, store_silent, holding, other_alive, edge_alive, quiet, old_edge, old_peer, hold_routes, hold_fetches;
	bool hold_pages; /* fetches that are not by ids */
} fake;

/* --- messages --- */

static void fake_record_free(struct fake_record *r)
{
	protobuf_c_message_free_unpacked(r->message, NULL);
	mem_free(r->payload);
}

static void fake_forget(void)
{
	for (size_t i = 0; i < fake.sent_count; i++)
		fake_record_free(&fake.sent[i]);
	fake.sent_count = 0;
}

/* --- the bus --- */

void *ipc_call_daemon(const struct ipc_call *call)
{
	(void)call;
	return fake.sm;
}

uint64_t ipc_call_source(const struct ipc_call *call)
{
	return call->source;
}

uint64_t ipc_call_trace(const struct ipc_call *call)
{
	(void)call;
	return 0;
}

struct str ipc_call_payload(const struct ipc_call *call)
{
	return call->payload;
}

void ipc_fail(struct ipc_call *call, int code, const char *fmt, ...)
{
	(void)fmt;
	call->code = code;
}

void ipc_reply(struct ipc_call *call, const ProtobufCMessage *reply)
{
	call->code = 0;
	call->reply = ipc_copy_for_test(reply);
}

static uint8_t fake_record_bytes[64][512];
static size_t fake_record_size[64];

static void fake_remember(const Starling__RememberEvent *e)
{
	assert_true(e->record.len <= 512);
	memcpy(fake_record_bytes[e->stream % 64], e->record.data, e->record.len);
	fake_record_size[e->stream % 64] = e->record.len;
}

int ipc_send(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, uint32_t method, const ProtobufCMessage *event)
{
	struct fake_record *r;

	(void)bus;
	if (to.instance == EDGE && !fake.edge_alive)
		return IPC_NOBODY;
	if (method == METHOD_EDGE_REMEMBER)
		fake_remember((const Starling__RememberEvent *)event);
	if (fake.quiet)
		return IPC_SENT;
	assert_true(fake.sent_count < FAKE_MAX);
	r = &fake.sent[fake.sent_count++];
	*r = (struct fake_record){ .method = method, .to = to.instance, .message = ipc_copy_for_test(event) };
	r->payload = opts ? mem_strndup(opts->payload.p ? opts->payload.p : "", opts->payload.n) : NULL;
	return IPC_SENT;
}

int ipc_call(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, uint32_t method, const ProtobufCMessage *request,
             ipc_done_fn done, void *ctx)
{
	struct fake_record *r = &fake.calls[fake.call_count++];

	(void)bus;
	assert_true(fake.call_count < FAKE_MAX);
	*r = (struct fake_record){ .method = method, .to = to.instance, .message = ipc_copy_for_test(request), .done = done, .ctx = ctx };
	r->payload = opts ? mem_strndup(opts->payload.p ? opts->payload.p : "", opts->payload.n) : NULL;
	return IPC_SENT;
}

uint64_t ipc_bus_instance(const struct ipc_bus *bus)
{
	(void)bus;
	return ME;
}

bool ipc_bus_joined(const struct ipc_bus *bus)
{
	(void)bus;
	return true;
}

void ipc_bus_claim_slots(struct ipc_bus *bus, const uint32_t *slots, const uint64_t *epochs, uint32_t count)
{
	(void)bus, (void)slots, (void)epochs, (void)count;
}

void ipc_bus_set_domains(struct ipc_bus *bus, const char *const *domains, uint32_t count)
{
	(void)bus, (void)domains, (void)count;
}

void ipc_bus_hold(struct ipc_bus *bus, const char *role, bool hold)
{
	(void)bus, (void)role;
	fake.holding = hold;
}

#include "services/session-manager/fake_directory.h"

/* --- the daemon --- */

/* Admin's handlers live with the real daemon: kept out of the program. */
#define FAKE_ADMIN(method, request)                                                                                                        \
	void on_admin_##method(struct ipc_call *call, const Starling__##request *r)                                                        \
	{                                                                                                                                  \
		(void)call, (void)r;                                                                                                       \
	}
FAKE_ADMIN(status, Empty)
FAKE_ADMIN(log_level, LogLevelRequest)
FAKE_ADMIN(reload, Empty)
FAKE_ADMIN(drain, Empty)
FAKE_ADMIN(connected, ConnectedRequest)
FAKE_ADMIN(kick, KickRequest)

/* --- Redis: remembers nothing, accepts everything --- */

struct redis *redis_new(uv_loop_t *loop, const struct redis_config *config)
{
	(void)loop, (void)config;
	return NULL;
}

void redis_free(struct redis **r)
{
	(void)r;
	for (size_t i = 0; i < fake.redis_count; i++)
		fake.redis[i].fn(NULL, fake.redis[i].ctx);
	fake.redis_count = 0;
}

bool redis_up(const struct redis *r)
{
	(void)r;
	return true;
}

static bool fake_redis(redis_fn fn, void *ctx, bool list)
{
	assert_true(fake.redis_count < FAKE_MAX);
	fake.redis[fake.redis_count].fn = fn;
	fake.redis[fake.redis_count].ctx = ctx;
	fake.redis[fake.redis_count].get = false;
	fake.redis[fake.redis_count++].list = list;
	return true;
}

bool redis_command(struct redis *r, redis_fn fn, void *ctx, int argc, const char *const *argv, const size_t *lens)
{
	(void)r, (void)lens;
	fake_redis(fn, ctx, true);
	fake.redis[fake.redis_count - 1].get = argc == 2 && strcmp(argv[0], "GET") == 0;
	return true;
}

void redis_script_register(struct redis *r, struct redis_script *s)
{
	(void)r, (void)s;
}

bool redis_eval(struct redis *r, const struct redis_script *s, redis_fn fn, void *ctx, int keys, int argc, const char *const *argv,
                const size_t *lens)
{
	(void)r, (void)s, (void)keys, (void)argc, (void)argv, (void)lens;
	return fake_redis(fn, ctx, false);
}

/* --- answers --- */

static void fake_answer(struct fake_record *r, int code, const ProtobufCMessage *reply)
{
	struct ipc_result result = { .code = code, .text = "" };

	r->done(&result, code ? NULL : reply, r->ctx);
}

#include "services/session-manager/fake_store.h"

static void fake_serve(struct fake_record *r)
{
	Starling__RosterReply roster = STARLING__ROSTER_REPLY__INIT;
	Starling__RosterVersionReply version = STARLING__ROSTER_VERSION_REPLY__INIT;
	Starling__Empty empty = STARLING__EMPTY__INIT;
	Starling__TakeReply taken = STARLING__TAKE_REPLY__INIT;

	if (r->method == METHOD_STANZA_ROUTE || r->method == METHOD_STANZA_TAKE) {
		const Starling__RouteRequest *q = (const void *)r->message;

		if (!fake.route_code) {
			fake.routed_as[fake.routed].key = (struct packet_key){ q->key_stream, q->key_number };
			fake.routed_as[fake.routed].again = q->again;
			fake.routed_body[fake.routed++] = mem_strdup(r->payload);
		}
		taken.log_id = r->to == S2S ? 0 : 7;
		fake_answer(r, fake.route_code, r->method == METHOD_STANZA_TAKE ? &taken.base : &empty.base);
		return;
	}
	if (fake.append_code && r->method == METHOD_STORAGE_LOG_APPEND) {
		fake_answer(r, fake.append_code, NULL);
		return;
	}
	if (fake.storage_code) {
		fake_answer(r, fake.storage_code, NULL);
		return;
	}
	switch (r->method) {
	case METHOD_STORAGE_LOG_APPEND:
		fake_append(r);
		return;
	case METHOD_STORAGE_LOG_OPEN:
		fake_open_log(r);
		return;
	case METHOD_STORAGE_LOG_FETCH:
		fake_fetch(r);
		return;
	case METHOD_STORAGE_LOG_DELIVERED:
		fake_delivered_mark(r);
		return;
	case METHOD_STORAGE_ROSTER_LOAD:
		roster.version = fake.roster_version;
		roster.complete = true;
		fake_answer(r, 0, &roster.base);
		return;
	case METHOD_STORAGE_ROSTER_PUT:
	case METHOD_STORAGE_ROSTER_REMOVE:
		version.version = ++fake.roster_version;
		fake_answer(r, 0, &version.base);
		return;
	default:
		fake_answer(r, 0, &empty.base);
	}
}

static bool fake_is_held(const struct fake_record *r)
{
	if (r->method == METHOD_STANZA_ROUTE || r->method == METHOD_STANZA_TAKE)
		return fake.hold_routes;
	if (r->method == METHOD_STORAGE_LOG_FETCH)
		return fake.hold_fetches || (fake.hold_pages && ((const Starling__LogFetchRequest *)(const void *)r->message)->n_ids == 0);
	return fake.held_for && r->method == METHOD_STORAGE_LOG_APPEND &&
	       strcmp(((const Starling__LogAppendRequest *)(const void *)r->message)->recipient, fake.held_for) == 0;
}

/* One turn: timers, coalesced events, then the answers to what was asked before it. */
static void fake_turn(void)
{
	size_t calls, commands, held = 0;
	redisReply none = { .type = REDIS_REPLY_ARRAY }, done = { .type = REDIS_REPLY_INTEGER, .integer = 1 };
	redisReply got = { .type = fake.redis_says ? REDIS_REPLY_STRING : REDIS_REPLY_NIL };

	uv_run(&skeleton.loop, UV_RUN_NOWAIT);
	calls = fake.call_count;
	commands = fake.redis_count;
	for (size_t i = 0; i < commands; i++)
		fake.redis[i].fn(fake.redis[i].get ? &got : fake.redis[i].list ? &none : &done, fake.redis[i].ctx);
	memmove(fake.redis, fake.redis + commands, (fake.redis_count - commands) * sizeof(fake.redis[0]));
	fake.redis_count -= commands;
	if (fake.store_silent)
		return;
	for (size_t i = 0; i < calls; i++) {
		if (fake_is_held(&fake.calls[i])) {
			fake.calls[held++] = fake.calls[i];
			continue;
		}
		fake_serve(&fake.calls[i]);
		fake_record_free(&fake.calls[i]);
	}
	memmove(fake.calls + held, fake.calls + calls, (fake.call_count - calls) * sizeof(fake.calls[0]));
	fake.call_count -= calls - held;
}

static void fake_turns(int n)
{
	while (n-- > 0)
		fake_turn();
}

/* --- a session-manager --- */

static int fake_start(void **state)
{
	static char *hosts[] = { TEXT("h.test") };
	struct err e;
	void *sm;

	(void)state;
	memset(&fake, 0, sizeof(fake));
	skeleton = (struct skeleton){ .config = &fake.options };
	uv_loop_init(&skeleton.loop);
	skeleton.shared.hosts = (struct config_list){ hosts, 1 };
	fake.options = (struct sm_options){ .sessions_max = 5,
		                            .roster_max = 10,
		                            .offline_max = 100,
		                            .directed_max = 10,
		                            .accounts_max = 100,
		                            .pending_max = 1 << 20,
		                            .lease_ms = 600000 };
	fake.roster_version = 1;
	fake.other_alive = fake.edge_alive = true;
	assert_int_equal(sm_start(NULL, &sm, &e), 0);
	fake.sm = sm;
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		fake.sm->ownership->slots[i] = (struct slot){ .state = SLOT_SERVING, .epoch = 5 };
	return 0;
}

static void fake_end_calls(void)
{
	for (size_t i = 0; i < fake.call_count; i++) {
		fake_answer(&fake.calls[i], STARLING__CODE__CODE_PEER_LOST, NULL);
		fake_record_free(&fake.calls[i]);
	}
	fake.call_count = 0;
}

static int fake_stop(void **state)
{
	(void)state;
	fake_end_calls();
	sm_stop(fake.sm);
	fake_end_calls();
	uv_run(&skeleton.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&skeleton.loop), 0);
	fake_forget();
	for (uint32_t i = 0; i < fake.routed; i++)
		mem_free(fake.routed_body[i]);
	for (size_t i = 0; i < fake.row_count; i++) {
		starling__log_append_request__free_unpacked(fake.rows[i].request, NULL);
		mem_free(fake.rows[i].stanza);
	}
	return 0;
}

#endif
