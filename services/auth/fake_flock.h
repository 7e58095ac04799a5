/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_flock: stands in for the runtime and the storage role in unit tests of auth, which include it once a program. Calls to storage are answered
 * from a table when fake_turn() runs, never before the call returned; workers are real. */
#ifndef SERVICES_AUTH_FAKE_FLOCK_H
#define SERVICES_AUTH_FAKE_FLOCK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/daemon/daemon_for_test.h"
#include "ipc/gen/auth.server.h"
#include "ipc/gen/session.client.h"
#include "ipc/gen/storage.client.h"
#include "ipc/runtime/ipc_for_test.h"
#include "services/auth/auth.h"

/* For members of generated structs, which are char * though nobody writes to them. */
#define TEXT(literal) ((char *)(literal))

#define FAKE_ACCOUNTS 16
#define FAKE_PENDING  64

/* --- a call being served, and what was answered ------------------------------------------------------------------- */

struct ipc_call {
	int answered; /* how often */
	int code;
	char text[256];
	ProtobufCMessage *reply;
};

struct fake {
	struct options options;
	struct auth *auth;
	struct str accounts[FAKE_ACCOUNTS]; /* packed Credentials; p NULL: free */
	struct {
		uint32_t method;
		struct str request;
		ipc_done_fn done;
		void *ctx;
	} pending[FAKE_PENDING];
	size_t pending_count;
	uint32_t reads;   /* CredentialsGet so far */
	char removed[64]; /* account of the last Session.Removed */
	int fail_code;    /* storage answers everything with this */
	int fail_times;   /* < 0: always */
	char folder[64];
};
static struct fake fake;

void *ipc_call_daemon(const struct ipc_call *call)
{
	(void)call;
	return fake.auth;
}

uint64_t ipc_call_trace(const struct ipc_call *call)
{
	(void)call;
	return 0;
}

uint64_t ipc_call_deadline(const struct ipc_call *call)
{
	(void)call;
	return clock_mono_ms() + 5000;
}

void ipc_fail(struct ipc_call *call, int code, const char *fmt, ...)
{
	va_list args;

	call->answered++;
	call->code = code;
	va_start(args, fmt);
	vsnprintf(call->text, sizeof(call->text), fmt, args);
	va_end(args);
}

static struct str fake_pack(const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	uint8_t *p = mem_alloc(n);

	protobuf_c_message_pack(m, p);
	return str_make(p, n);
}

static ProtobufCMessage *fake_unpack(const ProtobufCMessageDescriptor *d, struct str packed)
{
	return protobuf_c_message_unpack(d, NULL, packed.n, (const uint8_t *)packed.p);
}

void ipc_reply(struct ipc_call *call, const ProtobufCMessage *reply)
{
	struct str packed = fake_pack(reply);

	call->answered++;
	call->reply = fake_unpack(reply->descriptor, packed);
	mem_free((void *)packed.p);
}

/* --- storage ------------------------------------------------------------------------------------------------------ */

int ipc_call(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, uint32_t method, const ProtobufCMessage *request,
             ipc_done_fn done, void *ctx)
{
	size_t i = fake.pending_count++;

	(void)bus;
	assert_string_equal(to.role, "storage");
	assert_true(opts->deadline_ms > 0 && opts->deadline_ms < 5000);
	assert_true(i < FAKE_PENDING);
	fake.pending[i].method = method;
	fake.pending[i].request = fake_pack(request);
	fake.pending[i].done = done;
	fake.pending[i].ctx = ctx;
	return IPC_SENT;
}

/* The only event that auth sends. */
int ipc_send(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, uint32_t method, const ProtobufCMessage *event)
{
	const Starling__RemovedEvent *removed = (const Starling__RemovedEvent *)event;

	(void)bus;
	(void)opts;
	assert_int_equal(method, METHOD_SESSION_REMOVED);
	assert_int_equal(to.slot, hash_slot(str_from(removed->account)));
	snprintf(fake.removed, sizeof(fake.removed), "%s", removed->account);
	return IPC_SENT;
}

static Starling__Credentials *fake_account(size_t i)
{
	return fake.accounts[i].p ? (Starling__Credentials *)fake_unpack(&starling__credentials__descriptor, fake.accounts[i]) : NULL;
}

static int fake_find(const char *account)
{
	for (int i = 0; i < FAKE_ACCOUNTS; i++) {
		Starling__Credentials *c = fake_account((size_t)i);
		bool same = c && strcmp(c->account, account) == 0;

		if (c)
			starling__credentials__free_unpacked(c, NULL);
		if (same)
			return i;
	}
	return -1;
}

static int fake_put(struct str packed, const char *account, bool create)
{
	int i = fake_find(account);

	if (create == (i >= 0))
		return create ? STARLING__CODE__CODE_EXISTS : STARLING__CODE__CODE_NOT_FOUND;
	for (i = i < 0 ? 0 : i; create && fake.accounts[i].p; i++)
		assert_true(i + 1 < FAKE_ACCOUNTS);
	mem_free((void *)fake.accounts[i].p);
	fake.accounts[i] = str_make(mem_memdup(packed.p, packed.n), packed.n);
	return 0;
}

static int fake_delete(const char *account)
{
	int i = fake_find(account);

	if (i < 0)
		return STARLING__CODE__CODE_NOT_FOUND;
	mem_free((void *)fake.accounts[i].p);
	fake.accounts[i] = str_make(NULL, 0);
	return 0;
}

static const ProtobufCMessageDescriptor *fake_request_type(uint32_t method)
{
	switch (method) {
	case METHOD_STORAGE_ACCOUNT_CREATE:
	case METHOD_STORAGE_CREDENTIALS_SET:
		return &starling__credentials__descriptor;
	case METHOD_STORAGE_ACCOUNT_LIST:
		return &starling__account_list_request__descriptor;
	default:
		return &starling__account_key__descriptor;
	}
}

static void fake_list(const Starling__AccountListRequest *request, ipc_done_fn done, void *ctx)
{
	char *names[2] = { TEXT("a@one.test"), TEXT("b@one.test") };
	Starling__AccountListReply reply = STARLING__ACCOUNT_LIST_REPLY__INIT;
	struct ipc_result ok = { .text = "" };

	reply.accounts = names;
	reply.n_accounts = request->limit < 2 ? request->limit : 2;
	reply.complete = request->limit > 2 && strcmp(request->after, "") == 0;
	done(&ok, &reply.base, ctx);
}

static void fake_serve(uint32_t method, struct str packed, ipc_done_fn done, void *ctx)
{
	ProtobufCMessage *request = fake_unpack(fake_request_type(method), packed), *reply = NULL;
	static Starling__Empty empty = STARLING__EMPTY__INIT;
	struct ipc_result result = { .text = "" };
	int i;

	if (method == METHOD_STORAGE_ACCOUNT_LIST) {
		fake_list((Starling__AccountListRequest *)request, done, ctx);
	} else if (method == METHOD_STORAGE_CREDENTIALS_GET) {
		fake.reads++;
		i = fake_find(((Starling__AccountKey *)request)->account);
		result.code = i < 0 ? STARLING__CODE__CODE_NOT_FOUND : 0;
		reply = i < 0 ? NULL : (ProtobufCMessage *)fake_account((size_t)i);
		done(&result, reply, ctx);
		if (reply)
			protobuf_c_message_free_unpacked(reply, NULL);
	} else {
		result.code = method == METHOD_STORAGE_ACCOUNT_DELETE ? fake_delete(((Starling__AccountKey *)request)->account)
		                                                      : fake_put(packed, ((Starling__Credentials *)request)->account,
		                                                                 method == METHOD_STORAGE_ACCOUNT_CREATE);
		done(&result, result.code ? NULL : &empty.base, ctx);
	}
	protobuf_c_message_free_unpacked(request, NULL);
}

/* Lets storage answer and workers finish until nothing is left to do. */
static inline void fake_turn(void)
{
	for (int round = 0; round < 1000 && (fake.pending_count > 0 || hashing_open(fake.auth->hashing) > 0); round++) {
		size_t count = fake.pending_count;

		fake.pending_count = 0;
		for (size_t i = 0; i < count; i++) {
			struct str request = fake.pending[i].request;
			ipc_done_fn done = fake.pending[i].done;
			void *ctx = fake.pending[i].ctx;
			struct ipc_result failed = { .code = fake.fail_code, .text = "away" };

			if (fake.fail_times != 0) {
				fake.fail_times -= fake.fail_times > 0;
				done(&failed, NULL, ctx);
			} else {
				fake_serve(fake.pending[i].method, request, done, ctx);
			}
			mem_free((void *)request.p);
		}
		if (hashing_open(fake.auth->hashing) > 0)
			uv_run(&skeleton.loop, UV_RUN_ONCE);
	}
	assert_int_equal(fake.pending_count, 0);
}

/* --- the skeleton ------------------------------------------------------------------------------------------------- */

void metrics_register(struct metric *m)
{
	(void)m;
}

void metric_observe(struct metric *m, double v)
{
	(void)m;
	(void)v;
}

static char *fake_hosts[] = { TEXT("one.test"), TEXT("two.test") };
static char *fake_mechanisms[] = { TEXT("SCRAM-SHA-512-PLUS"),
	                           TEXT("SCRAM-SHA-256-PLUS"),
	                           TEXT("SCRAM-SHA-1-PLUS"),
	                           TEXT("SCRAM-SHA-512"),
	                           TEXT("SCRAM-SHA-256"),
	                           TEXT("SCRAM-SHA-1"),
	                           TEXT("PLAIN") };
static char *fake_reserved[] = { TEXT("admin") };

static inline int fake_start(void **state)
{
	char path[128];
	struct err e = { "" };
	void *auth;

	(void)state;
	fake = (struct fake){ .folder = "/tmp/starling-auth-XXXXXX" };
	skeleton = (struct skeleton){ .config = &fake.options };
	log_threshold = LOG_LEVEL_ERROR;
	uv_loop_init(&skeleton.loop);
	assert_non_null(mkdtemp(fake.folder));
	snprintf(path, sizeof(path), "%s/auth-seal.key", fake.folder);
	assert_int_equal(seal_key_generate(path, &e), 0);
	skeleton.shared = (struct config_shared){ .hosts = { fake_hosts, 2 }, .keys_dir = fake.folder };
	fake.options = (struct options){ .mechanisms = { fake_mechanisms, 7 },
		                         .iterations = 4096,
		                         .seal_key = TEXT(""),
		                         .hash_threads = 2,
		                         .hash_queue = 16,
		                         .failures_per_minute = 60,
		                         .failure_burst = 1000,
		                         .throttle_addresses = 64,
		                         .registration = true,
		                         .registrations_per_hour = 3600,
		                         .registration_burst = 1000,
		                         .password_min = 8,
		                         .reserved = { fake_reserved, 1 } };
	assert_int_equal(auth_start(NULL, &auth, &e), 0);
	fake.auth = auth;
	auth_run(fake.auth);
	assert_true(skeleton.ready);
	assert_int_equal(unlink(path), 0);
	return 0;
}

static inline int fake_stop(void **state)
{
	(void)state;
	auth_drain(fake.auth);
	assert_true(skeleton.drained);
	auth_stop(fake.auth);
	for (int i = 0; i < FAKE_ACCOUNTS; i++)
		mem_free((void *)fake.accounts[i].p);
	uv_run(&skeleton.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&skeleton.loop), 0);
	return rmdir(fake.folder);
}

static inline void call_clear(struct ipc_call *call)
{
	if (call->reply)
		protobuf_c_message_free_unpacked(call->reply, NULL);
	*call = (struct ipc_call){ 0 };
}

/* By an operator; the answer's code. */
static inline int fake_create(const char *account, const char *password)
{
	Starling__CreateAccountRequest request = STARLING__CREATE_ACCOUNT_REQUEST__INIT;
	struct ipc_call call = { 0 };
	char *copy = mem_strdup(password);
	int code;

	request.account = (char *)account;
	request.password = copy;
	request.by_operator = true;
	on_auth_create_account(&call, &request);
	fake_turn();
	assert_int_equal(call.answered, 1);
	code = call.code;
	call_clear(&call);
	mem_free(copy);
	return code;
}

#endif
