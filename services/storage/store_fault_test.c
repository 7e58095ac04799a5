/* SPDX-License-Identifier: Apache-2.0
 *
 * The store when something is wrong: a bad write among good ones, a killed backend, a stopped server, a full queue, two instances at once. */
#include <arpa/inet.h>
#include <signal.h>

#include "services/storage/store_fixture.h"
#include "services/storage/store_metrics.h"

#define OK          STARLING__CODE__CODE_OK
#define INVALID     STARLING__CODE__CODE_INVALID
#define UNAVAILABLE STARLING__CODE__CODE_UNAVAILABLE
#define PEER_LOST   STARLING__CODE__CODE_PEER_LOST
#define OVERLOAD    STARLING__CODE__CODE_OVERLOAD
#define TIMEOUT     STARLING__CODE__CODE_TIMEOUT
#define MANY        400

static const char me[] = "me@fault.example";

static int setup_server(void **state)
{
	*state = fixture_new();
	return 0;
}

static int teardown_server(void **state)
{
	fixture_free(*state);
	return 0;
}

static int close_store(void **state)
{
	struct fixture *f = *state;

	store_free(&f->store);
	fixture_run_ms(f, 30);
	return 0;
}

/* One lane, so that everything of one loop turn is one batch. */
static void open_store(struct fixture *f)
{
	struct store_config config = fixture_config(f);

	config.connections = config.writers = 1;
	fixture_open(f, &config);
	fixture_account(f, me);
	fixture_sql(f, "DELETE FROM offline_messages");
}

static void append_to(struct store *store, const char *account, const char *key, uint64_t deadline_ms, struct answer *a)
{
	Starling__OfflineAppendRequest r = STARLING__OFFLINE_APPEND_REQUEST__INIT;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	*a = (struct answer){ 0 };
	r.account = (char *)account;
	r.meta = &meta;
	if (key)
		r.key = (ProtobufCBinaryData){ strlen(key), (uint8_t *)key };
	store_submit(store, METHOD_STORAGE_OFFLINE_APPEND & 0xff, &r.base, STR("<message/>"), deadline_ms, fixture_on_answer, a);
}

static int append(struct fixture *f, const char *key)
{
	struct answer a;
	int code;

	append_to(f->store, me, key, 0, &a);
	assert_true(fixture_until(f, &a.done));
	code = a.code;
	answer_free(&a);
	return code;
}

static uint64_t id_of(const struct answer *a)
{
	return a->reply ? ((Starling__OfflineAppendReply *)a->reply)->id : 0;
}

static void wait_up(struct fixture *f, bool up)
{
	uint64_t end = clock_mono_ms() + ANSWER_MS;

	while (store_up(f->store) != up && clock_mono_ms() < end)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(store_up(f->store), up);
}

/* --- batches ------------------------------------------------------------------------------------------------------- */

static void test_bad_row_fails_alone(void **state)
{
	struct fixture *f = *state;
	struct answer a[20];
	uint64_t last = 0;

	open_store(f);
	for (int i = 0; i < 20; i++)
		append_to(f->store, i == 7 ? "bad\xff@fault.example" : me, NULL, 0, &a[i]);
	for (int i = 0; i < 20; i++) {
		assert_true(fixture_until(f, &a[i].done));
		assert_int_equal(a[i].code, i == 7 ? INVALID : OK);
		if (i != 7) {
			assert_true(id_of(&a[i]) > last);
			last = id_of(&a[i]);
		}
		answer_free(&a[i]);
	}
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM offline_messages"), 19);
}

/* Several loop turns, batches and a bad write in between: ids rise in the order of calling, answers come in it. */
static void test_order(void **state)
{
	struct fixture *f = *state;
	struct answer *a = mem_zalloc(MANY * sizeof *a);

	open_store(f);
	for (int i = 0; i < MANY; i++) {
		append_to(f->store, i % 50 == 49 ? "bad\xff@fault.example" : me, NULL, 0, &a[i]);
		if (i % 30 == 0)
			uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	for (int i = 0; i < MANY; i++)
		assert_true(fixture_until(f, &a[i].done));
	for (int i = 1; i < MANY; i++) {
		if (!id_of(&a[i]) || !id_of(&a[i - 1]))
			continue;
		assert_true(id_of(&a[i]) > id_of(&a[i - 1]));
		assert_true(a[i].order > a[i - 1].order);
	}
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(a[i].times, 1);
		answer_free(&a[i]);
	}
	mem_free(a);
}

/* Answered means committed: another connection sees it at once. */
static void test_answer_follows_commit(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	for (int i = 1; i <= 20; i++) {
		assert_int_equal(append(f, NULL), OK);
		assert_int_equal(fixture_sql(f, "SELECT count(*) FROM offline_messages"), i);
	}
}

static void test_overload(void **state)
{
	struct fixture *f = *state;
	struct store_config config = fixture_config(f);
	struct answer a[12];

	config.queue_max = 10;
	fixture_open(f, &config);
	fixture_account(f, me);
	for (int i = 0; i < 12; i++)
		append_to(f->store, me, NULL, 0, &a[i]);
	for (int i = 0; i < 12; i++) {
		assert_true(fixture_until(f, &a[i].done));
		assert_int_equal(a[i].code, i < 10 ? OK : OVERLOAD);
		answer_free(&a[i]);
	}
	assert_int_equal(append(f, NULL), OK);
}

static void test_deadline(void **state)
{
	struct fixture *f = *state;
	struct answer first, late;

	open_store(f);
	fixture_sql(f, "BEGIN");
	fixture_sql(f, "LOCK TABLE offline_messages");
	append_to(f->store, me, NULL, 0, &first);
	fixture_run_ms(f, 30);
	append_to(f->store, me, NULL, clock_mono_ms() + 50, &late);
	fixture_run_ms(f, 100);
	fixture_sql(f, "COMMIT");
	assert_true(fixture_until(f, &first.done) && fixture_until(f, &late.done));
	assert_int_equal(first.code, OK);
	assert_int_equal(late.code, TIMEOUT);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM offline_messages"), 1);
	answer_free(&first);
}

static void test_statement_timeout(void **state)
{
	struct fixture *f = *state;
	struct store_config config = fixture_config(f);

	config.statement_timeout_ms = 200;
	fixture_open(f, &config);
	fixture_account(f, me);
	fixture_sql(f, "BEGIN");
	fixture_sql(f, "LOCK TABLE offline_messages");
	assert_int_equal(append(f, NULL), UNAVAILABLE);
	fixture_sql(f, "COMMIT");
	fixture_run_ms(f, 60);
	assert_int_equal(append(f, NULL), OK);
}

/* None is stored while one that stood before it was not: its caller tries that again, and it would come behind. */
static void test_what_waits_behind_a_refused_batch_fails_with_it(void **state)
{
	struct fixture *f = *state;
	struct store_config config = fixture_config(f);
	struct answer a[5];

	config.statement_timeout_ms = 200;
	config.connections = config.writers = 1;
	config.batch_max = 2;
	fixture_open(f, &config);
	fixture_account(f, me);
	fixture_sql(f, "DELETE FROM offline_messages");
	fixture_sql(f, "BEGIN");
	fixture_sql(f, "LOCK TABLE offline_messages");
	for (int i = 0; i < 4; i++)
		append_to(f->store, me, NULL, 0, &a[i]);
	assert_true(fixture_until(f, &a[0].done));
	fixture_sql(f, "COMMIT");
	append_to(f->store, me, NULL, 0, &a[4]);
	for (int i = 0; i < 5; i++) {
		assert_true(fixture_until(f, &a[i].done));
		assert_int_equal(a[i].code, UNAVAILABLE);
		assert_true(i == 0 || a[i].order > a[i - 1].order);
		answer_free(&a[i]);
	}
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM offline_messages"), 0);
	fixture_run_ms(f, 60);
	assert_int_equal(append(f, NULL), OK);
}

/* --- PostgreSQL goes ----------------------------------------------------------------------------------------------- */

static void test_backend_killed(void **state)
{
	struct fixture *f = *state;
	struct answer sent, waiting;
	long pid;

	open_store(f);
	fixture_sql(f, "BEGIN");
	fixture_sql(f, "LOCK TABLE offline_messages");
	append_to(f->store, me, "k1", 0, &sent);
	fixture_run_ms(f, 50);
	append_to(f->store, me, "k2", 0, &waiting);
	fixture_run_ms(f, 50);
	pid = fixture_sql(f, "SELECT pid FROM pg_stat_activity WHERE application_name = 'starling-storage' AND wait_event_type = 'Lock'");
	assert_true(pid > 1);
	assert_false(sent.done || waiting.done);
	assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
	assert_true(fixture_until(f, &sent.done) && fixture_until(f, &waiting.done));
	assert_int_equal(sent.code, PEER_LOST);
	assert_int_equal(waiting.code, UNAVAILABLE);
	assert_true(sent.order < waiting.order);
	wait_up(f, true);
	assert_int_equal(append(f, "k1"), OK);
	assert_int_equal(append(f, "k2"), OK);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM offline_messages"), 2);
}

static void test_server_restart(void **state)
{
	struct fixture *f = *state;
	uint64_t begin;

	open_store(f);
	fixture_server(f, "stop", "fast");
	wait_up(f, false);
	begin = clock_mono_ms();
	assert_int_equal(append(f, NULL), UNAVAILABLE);
	assert_true(clock_mono_ms() - begin < 1000);
	fixture_run_ms(f, 400);
	begin = clock_mono_ms();
	assert_int_equal(append(f, NULL), UNAVAILABLE);
	assert_true(clock_mono_ms() - begin < 50);
	fixture_server(f, "start", "");
	wait_up(f, true);
	assert_int_equal(append(f, NULL), OK);
}

static void test_start_without_server(void **state)
{
	struct fixture *f = *state;
	struct store_config config = fixture_config(f);
	struct err e;

	fixture_server(f, "stop", "fast");
	f->ready = false;
	f->store = store_new(&config, &e);
	assert_non_null(f->store);
	fixture_run_ms(f, 100);
	assert_int_equal(append(f, NULL), UNAVAILABLE);
	assert_false(f->ready || store_up(f->store));
	fixture_server(f, "start", "");
	assert_true(fixture_until(f, &f->ready));
	fixture_account(f, me);
	assert_int_equal(append(f, NULL), OK);
}

/* What is open when the store closes ends, too; whether it was done is not known of what had been sent. */
static void test_close_with_open_calls(void **state)
{
	struct fixture *f = *state;
	struct answer a[3];

	open_store(f);
	for (int i = 0; i < 3; i++)
		append_to(f->store, me, NULL, 0, &a[i]);
	uv_run(&f->loop, UV_RUN_NOWAIT);
	store_free(&f->store);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(a[i].times, 1);
		assert_int_equal(a[i].code, PEER_LOST);
	}
}

/* --- addresses ----------------------------------------------------------------------------------------------------- */

static int free_port(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof in;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
	close(fd);
	return ntohs(in.sin_port);
}

static void test_host_name(void **state)
{
	struct fixture *f = *state;
	struct store_config config = fixture_config(f);
	char option[128], dsn[256];
	int port = free_port();

	fixture_server(f, "stop", "fast");
	snprintf(option, sizeof option, "-c listen_addresses=127.0.0.1 -c port=%d", port);
	fixture_server(f, "start", option);
	snprintf(dsn, sizeof dsn, "postgresql://starling@nowhere.invalid:%d,localhost:%d/starling", port, port);
	config.dsn = dsn;
	fixture_open(f, &config);
	fixture_account(f, me);
	assert_int_equal(append(f, NULL), OK);
	close_store(state);
	fixture_server(f, "stop", "fast");
	fixture_server(f, "start", "");
}

static void test_bad_dsn(void **state)
{
	struct fixture *f = *state;
	struct store_config config = fixture_config(f);
	struct err e;

	config.dsn = "host=/tmp password=secret";
	assert_null(store_new(&config, &e));
	assert_non_null(strstr(e.text, "password_file"));
	config.dsn = "nonsense";
	assert_null(store_new(&config, &e));
}

/* --- two instances ------------------------------------------------------------------------------------------------- */

static void roster_put_to(struct store *store, const char *account, struct answer *a)
{
	Starling__RosterPutRequest r = STARLING__ROSTER_PUT_REQUEST__INIT;
	Starling__RosterItem item = STARLING__ROSTER_ITEM__INIT;

	*a = (struct answer){ 0 };
	item.jid = (char *)"a@x";
	r.account = (char *)account;
	r.item = &item;
	store_submit(store, METHOD_STORAGE_ROSTER_PUT & 0xff, &r.base, STR(""), 0, fixture_on_answer, a);
}

/* Batches that write the same accounts in opposite order: without locks taken in one order by all, they would wait for each other. */
static void test_two_instances(void **state)
{
	struct fixture *f = *state;
	struct store_config config = fixture_config(f);
	struct answer *a = mem_zalloc(2 * MANY * sizeof *a);
	struct store *second;
	bool second_ready = false;
	double split = metric_batches_split.value;
	char jid[32];
	struct err e;

	fixture_open(f, &config);
	for (int i = 0; i < 20; i++) {
		snprintf(jid, sizeof jid, "pair%d@fault.example", i);
		fixture_account(f, jid);
	}
	config.ctx = (char *)&second_ready - offsetof(struct fixture, ready);
	second = store_new(&config, &e);
	assert_true(fixture_until(f, &second_ready));
	for (int i = 0; i < MANY; i++) {
		snprintf(jid, sizeof jid, "pair%d@fault.example", i % 20);
		roster_put_to(f->store, jid, &a[2 * i]);
		snprintf(jid, sizeof jid, "pair%d@fault.example", 19 - i % 20);
		roster_put_to(second, jid, &a[2 * i + 1]);
		if (i % 40 == 0)
			uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	for (int i = 0; i < 2 * MANY; i++) {
		assert_true(fixture_until(f, &a[i].done));
		assert_int_equal(a[i].code, OK);
		answer_free(&a[i]);
	}
	assert_true(metric_batches_split.value == split);
	store_free(&second);
	mem_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_bad_row_fails_alone, close_store),
		cmocka_unit_test_teardown(test_order, close_store),
		cmocka_unit_test_teardown(test_answer_follows_commit, close_store),
		cmocka_unit_test_teardown(test_overload, close_store),
		cmocka_unit_test_teardown(test_deadline, close_store),
		cmocka_unit_test_teardown(test_statement_timeout, close_store),
		cmocka_unit_test_teardown(test_what_waits_behind_a_refused_batch_fails_with_it, close_store),
		cmocka_unit_test_teardown(test_backend_killed, close_store),
		cmocka_unit_test_teardown(test_server_restart, close_store),
		cmocka_unit_test_teardown(test_start_without_server, close_store),
		cmocka_unit_test_teardown(test_close_with_open_calls, close_store),
		cmocka_unit_test_teardown(test_host_name, close_store),
		cmocka_unit_test(test_bad_dsn),
		cmocka_unit_test_teardown(test_two_instances, close_store),
	};

	return cmocka_run_group_tests(tests, setup_server, teardown_server);
}
