/* SPDX-License-Identifier: Apache-2.0
 *
 * store_fixture: for the tests of the store: a private PostgreSQL, a store upon it, and calls that run the loop until they are answered. */
#ifndef STORAGE_STORE_FIXTURE_H
#define STORAGE_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/gen/storage.client.h"
#include "services/storage/store.h"
#include "services/storage/store_metrics.h"

#define PRIVATE_POSTGRES "tests/tools/private-postgres"
#define ANSWER_MS        20000u

struct answer {
	bool done;
	uint32_t times;
	int code;
	uint64_t order;          /* of all answers */
	ProtobufCMessage *reply; /* heap; NULL unless OK */
};

struct fixture {
	uv_loop_t loop;
	uv_timer_t tick; /* so that the loop turns while nothing happens */
	char dir[64];
	char dsn[256];
	struct store *store;
	bool ready;
	char refused[512];
	PGconn *sql; /* a blocking connection beside the store */
	uint64_t answers;
};

static inline void fixture_on_ready(void *ctx)
{
	((struct fixture *)ctx)->ready = true;
}

static inline void fixture_on_refused(const char *why, void *ctx)
{
	snprintf(((struct fixture *)ctx)->refused, sizeof((struct fixture *)ctx)->refused, "%s", why);
}

static inline void fixture_on_tick(uv_timer_t *timer)
{
	(void)timer;
}

/* Runs the loop until *flag is set. */
static inline bool fixture_until(struct fixture *f, const bool *flag)
{
	uint64_t end = clock_mono_ms() + ANSWER_MS;

	while (!*flag && clock_mono_ms() < end)
		uv_run(&f->loop, UV_RUN_ONCE);
	return *flag;
}

static inline void fixture_run_ms(struct fixture *f, uint64_t ms)
{
	uint64_t end = clock_mono_ms() + ms;

	while (clock_mono_ms() < end)
		uv_run(&f->loop, UV_RUN_ONCE);
}

static inline void fixture_server(struct fixture *f, const char *command, const char *option)
{
	char line[256], out[256] = "";
	FILE *p;

	snprintf(line, sizeof line, "%s %s %s %s", PRIVATE_POSTGRES, command, f->dir, option);
	p = popen(line, "r");
	assert_non_null(p);
	if (fgets(out, sizeof out, p) && strcmp(command, "start") == 0) {
		out[strcspn(out, "\n")] = '\0';
		snprintf(f->dsn, sizeof f->dsn, "%s", out);
	}
	assert_int_equal(pclose(p), 0);
}

static inline struct store_config fixture_config(struct fixture *f)
{
	return (struct store_config){
		.loop = &f->loop,
		.dsn = f->dsn,
		.connections = 4,
		.writers = 2,
		.batch_max = 256,
		.batch_bytes = 1 << 20,
		.batch_ms = 2,
		.connect_timeout_ms = 5000,
		.statement_timeout_ms = 5000,
		.wait_ms = 300,
		.queue_max = 20000,
		.queue_bytes = 64 << 20,
		.limits = { .roster_items = 1200, .fetch_bytes = 10000 },
		.on_ready = fixture_on_ready,
		.on_refused = fixture_on_refused,
		.ctx = f,
	};
}

static inline void fixture_open(struct fixture *f, const struct store_config *config)
{
	struct err e;

	f->ready = false;
	f->store = store_new(config, &e);
	assert_non_null(f->store);
	assert_true(fixture_until(f, &f->ready));
}

/* The store is ready with its first connection; on a busy machine a write may give up waiting for the one of its lane. */
static inline void fixture_wait_connections(struct fixture *f, uint32_t connections)
{
	uint64_t end = clock_mono_ms() + ANSWER_MS;

	while (metric_connections_up.value < connections && clock_mono_ms() < end)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_true(metric_connections_up.value >= connections);
}

static inline struct fixture *fixture_new(void)
{
	struct fixture *f = mem_new(struct fixture);

	snprintf(f->dir, sizeof f->dir, "/tmp/starling-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	chmod(f->dir, 0755);
	uv_loop_init(&f->loop);
	uv_timer_init(&f->loop, &f->tick);
	uv_timer_start(&f->tick, fixture_on_tick, 10, 10);
	fixture_server(f, "start", "");
	f->sql = PQconnectdb(f->dsn);
	assert_int_equal(PQstatus(f->sql), CONNECTION_OK);
	return f;
}

static inline void fixture_free(struct fixture *f)
{
	char line[128];

	store_free(&f->store);
	uv_close((uv_handle_t *)&f->tick, NULL);
	for (int i = 0; i < 200 && uv_run(&f->loop, UV_RUN_NOWAIT) != 0; i++)
		usleep(5000);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	PQfinish(f->sql);
	fixture_server(f, "stop", "immediate");
	snprintf(line, sizeof line, "rm -rf %s", f->dir);
	assert_int_equal(system(line), 0);
	mem_free(f);
}

/* First field of the first row, as a number. */
static inline long fixture_sql(struct fixture *f, const char *sql)
{
	PGresult *res;
	long value = 0;

	res = PQexec(f->sql, sql);
	/* The server went and came back since the last time. */
	for (int i = 0; i < 100 && PQresultStatus(res) == PGRES_FATAL_ERROR && !PQresultErrorField(res, PG_DIAG_SQLSTATE); i++) {
		PQclear(res);
		usleep(50000);
		PQreset(f->sql);
		res = PQexec(f->sql, sql);
	}
	if (PQresultStatus(res) != PGRES_TUPLES_OK && PQresultStatus(res) != PGRES_COMMAND_OK)
		fail_msg("%s: %s", sql, PQresultErrorMessage(res));
	if (PQntuples(res) > 0)
		value = atol(PQgetvalue(res, 0, 0));
	PQclear(res);
	return value;
}

static inline void fixture_on_answer(int code, const char *text, const ProtobufCMessage *reply, void *ctx)
{
	static uint64_t order;
	struct answer *a = ctx;
	uint8_t *packed;
	size_t n;

	assert_non_null(text);
	a->done = true;
	a->times++;
	a->code = code;
	a->order = ++order;
	if (!reply)
		return;
	n = protobuf_c_message_get_packed_size(reply);
	packed = mem_alloc(n + 1);
	protobuf_c_message_pack(reply, packed);
	a->reply = protobuf_c_message_unpack(reply->descriptor, NULL, n, packed);
	assert_non_null(a->reply);
	mem_free(packed);
}

static inline void answer_free(struct answer *a)
{
	if (a->reply)
		protobuf_c_message_free_unpacked(a->reply, NULL);
	*a = (struct answer){ 0 };
}

static inline void fixture_send(struct fixture *f, uint32_t method, const void *request, struct str payload, struct answer *a)
{
	*a = (struct answer){ 0 };
	store_submit(f->store, method & 0xff, request, payload, 0, fixture_on_answer, a);
}

/* The reply is freed by answer_free. */
static inline struct answer fixture_call(struct fixture *f, uint32_t method, const void *request, struct str payload)
{
	struct answer a;

	fixture_send(f, method, request, payload, &a);
	assert_true(fixture_until(f, &a.done));
	assert_int_equal(a.times, 1);
	return a;
}

/* Only the code counts. */
static inline int fixture_code(struct fixture *f, uint32_t method, const void *request)
{
	struct answer a = fixture_call(f, method, request, STR(""));
	int code = a.code;

	answer_free(&a);
	return code;
}

static inline int fixture_account(struct fixture *f, const char *jid)
{
	Starling__Credentials r = STARLING__CREDENTIALS__INIT;

	r.account = (char *)jid;
	return fixture_code(f, METHOD_STORAGE_ACCOUNT_CREATE, &r);
}

#endif
