/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool against a real PostgreSQL: who owns a slot, and who may write. */
#include "services/storage/store_metrics.h"
#include "services/storage/store_spool_calls.h"

#define A    0xfedcba9876543210u /* instances: numbers above INT64_MAX, too */
#define B    2u
#define C    3u
#define MANY 200

static void test_claim(void **state)
{
	static const char there[] = "claim.example";
	struct fixture *f = *state;
	Starling__SpoolOwner o;

	o = spool_claim_call(f, there, A, NULL, 0);
	assert_true(o.epoch == 1 && o.instance == A);
	/* Again, and when others who are alive ask: it stays as it is. */
	o = spool_claim_call(f, there, A, NULL, 0);
	assert_true(o.epoch == 1 && o.instance == A);
	o = spool_claim_call(f, there, B, (uint64_t[]){ C, A, B }, 3);
	assert_true(o.epoch == 1 && o.instance == A);
	/* It is not among those alive. */
	o = spool_claim_call(f, there, B, (uint64_t[]){ C, B }, 2);
	assert_true(o.epoch == 2 && o.instance == B);
	o = spool_claim_call(f, there, A, (uint64_t[]){ A }, 1);
	assert_true(o.epoch == 3 && o.instance == A);
}

static void test_claim_refusals(void **state)
{
	struct fixture *f = *state;
	uint32_t slots[1025] = { 1024 };
	uint64_t alive[1025] = { 0 };
	struct answer a;
	const Starling__SpoolOwnersReply *r;
	Starling__SpoolReleaseRequest release = STARLING__SPOOL_RELEASE_REQUEST__INIT;
	Starling__SpoolClaimRequest claim = STARLING__SPOOL_CLAIM_REQUEST__INIT;
	Starling__SpoolOwner owner = STARLING__SPOOL_OWNER__INIT, *owners[1025];

	assert_int_equal(spool_claim_to(f, f->store, slots, 1, A, NULL, 0).code, INVALID);
	slots[0] = 0;
	assert_int_equal(spool_claim_to(f, f->store, slots, 1025, A, NULL, 0).code, INVALID);
	assert_int_equal(spool_claim_to(f, f->store, slots, 1, 0, NULL, 0).code, INVALID);
	assert_int_equal(spool_claim_to(f, f->store, slots, 1, A, alive, 1025).code, INVALID);
	claim.slots = slots;
	claim.n_slots = 1;
	claim.instance = A;
	claim.renew = UINT64_MAX;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_SPOOL_CLAIM, &claim), INVALID);
	a = spool_claim_to(f, f->store, NULL, 0, A, NULL, 0);
	assert_int_equal(a.code, OK);
	assert_int_equal(((const Starling__SpoolOwnersReply *)a.reply)->n_owners, 0);
	answer_free(&a);
	/* Unordered and named twice: each once, in order. */
	a = spool_claim_to(f, f->store, (uint32_t[]){ 1001, 1000, 1001 }, 3, A, NULL, 0);
	r = (const Starling__SpoolOwnersReply *)a.reply;
	assert_int_equal(r->n_owners, 2);
	assert_true(r->owners[0]->slot == 1000 && r->owners[1]->slot == 1001 && r->owners[1]->epoch == 1);
	answer_free(&a);
	/* Nobody, of whom somebody says that he is alive, owns nothing. */
	a = spool_claim_to(f, f->store, (uint32_t[]){ 1002 }, 1, A, (uint64_t[]){ 0 }, 1);
	assert_true(((const Starling__SpoolOwnersReply *)a.reply)->owners[0]->instance == A);
	answer_free(&a);
	for (size_t i = 0; i < 1025; i++)
		owners[i] = &owner;
	release.owners = owners;
	release.n_owners = 1025;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_SPOOL_RELEASE, &release), INVALID);
	owner.slot = 1024;
	release.n_owners = 1;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_SPOOL_RELEASE, &release), INVALID);
	release.n_owners = 0;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_SPOOL_RELEASE, &release), OK);
}

/* Whoever owns it afterwards, and since when. */
static Starling__SpoolOwner renew(struct fixture *f, const char *domain, uint64_t instance, uint64_t epoch, uint64_t *alive, size_t n)
{
	Starling__SpoolClaimRequest r = STARLING__SPOOL_CLAIM_REQUEST__INIT;
	uint32_t slot = hash_slot(str_from(domain));
	Starling__SpoolOwner owner;
	struct answer a;

	r.slots = &slot;
	r.n_slots = 1;
	r.instance = instance;
	r.renew = epoch;
	r.alive = alive;
	r.n_alive = n;
	a = fixture_call(f, METHOD_STORAGE_SPOOL_CLAIM, &r, STR(""));
	assert_int_equal(a.code, OK);
	owner = *((const Starling__SpoolOwnersReply *)a.reply)->owners[0];
	answer_free(&a);
	return owner;
}

/* What was sent under the former epoch, and comes late, is refused; what came in time is found by its key. */
static void test_renew(void **state)
{
	static const char there[] = "renew.example";
	struct fixture *f = *state;
	struct spooled s = { .domain = there, .stream = 7, .number = 1 };
	Starling__SpoolOwner o;
	uint64_t first, id;

	first = s.epoch = spool_claim_call(f, there, A, NULL, 0).epoch;
	id = spool_append_ok(f, &s);
	o = renew(f, there, A, first, NULL, 0);
	assert_true(o.instance == A && o.epoch == first + 1);
	/* Late or repeated: nothing. Also when it says of itself that it is alive. */
	assert_int_equal(renew(f, there, A, first, NULL, 0).epoch, first + 1);
	o = renew(f, there, A, first + 1, (uint64_t[]){ A, B }, 2);
	assert_true(o.instance == A && o.epoch == first + 2);
	/* Another's slot stays another's. */
	o = renew(f, there, B, first + 2, (uint64_t[]){ A }, 1);
	assert_true(o.instance == A && o.epoch == first + 2);
	s.again = true;
	assert_int_equal(spool_append_call(f, &s, NULL), FENCED);
	s.epoch = first + 2;
	assert_int_equal(spool_append_ok(f, &s), id);
	s.number = 2;
	assert_true(spool_append_ok(f, &s) > id);
	assert_int_equal(spool_count(f, there), 2);
}

static void test_release(void **state)
{
	static const char there[] = "release.example";
	struct fixture *f = *state;
	Starling__SpoolOwner first, o;

	first = spool_claim_call(f, there, A, NULL, 0);
	o = first;
	o.epoch++;
	assert_int_equal(spool_release_call(f, &o), OK);
	o = first;
	o.instance = B;
	assert_int_equal(spool_release_call(f, &o), OK);
	o = spool_claim_call(f, there, B, (uint64_t[]){ A }, 1);
	assert_true(o.instance == A && o.epoch == first.epoch);
	assert_int_equal(spool_release_call(f, &first), OK);
	/* Free for anybody, though A is alive; its epoch has risen then, also for A itself. */
	o = spool_claim_call(f, there, B, (uint64_t[]){ A, B }, 2);
	assert_true(o.instance == B && o.epoch == first.epoch + 1);
	assert_int_equal(spool_release_call(f, &first), OK);
	assert_true(spool_claim_call(f, there, A, (uint64_t[]){ B }, 1).instance == B);
	assert_int_equal(spool_release_call(f, &o), OK);
	assert_int_equal(spool_release_call(f, &o), OK);
	assert_int_equal(spool_claim_call(f, there, B, NULL, 0).epoch, first.epoch + 2);
}

static void test_fences(void **state)
{
	static const char there[] = "fence.example";
	struct fixture *f = *state;
	struct spooled s = { .domain = there };
	uint64_t id, old, now;

	s.epoch = 1;
	assert_int_equal(spool_append_call(f, &s, NULL), FENCED);
	old = spool_claim_call(f, there, A, NULL, 0).epoch;
	s.epoch = old;
	id = spool_append_ok(f, &s);
	now = spool_claim_call(f, there, B, NULL, 0).epoch;
	assert_int_equal(spool_append_call(f, &s, NULL), FENCED);
	assert_int_equal(spool_done_call(f, there, &id, 1, old), FENCED);
	/* A higher one is nobody's either. */
	s.epoch = now + 1;
	assert_int_equal(spool_append_call(f, &s, NULL), FENCED);
	assert_int_equal(spool_done_call(f, there, &id, 1, now + 1), FENCED);
	assert_int_equal(spool_count(f, there), 1);
	s.epoch = now;
	assert_int_equal(spool_append_call(f, &s, NULL), OK);
	assert_int_equal(spool_done_call(f, there, &id, 1, now), OK);
	assert_int_equal(spool_count(f, there), 1);
	/* Slots of accounts have fences of their own. */
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM slot_fence"), 0);
}

/* Epoch 0 is a slot's before its first claim: nobody has it. */
static void test_never_claimed(void **state)
{
	static const char there[] = "never.example";
	struct fixture *f = *state;
	Starling__SpoolDoneRequest r = STARLING__SPOOL_DONE_REQUEST__INIT;
	Starling__Fence fence = spool_fence(there, 0);

	r.domain = (char *)there;
	r.fence = &fence;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_SPOOL_DONE, &r), FENCED);
}

/* Some writer has its lock and has not committed yet: the claim waits for it, and what is read then has what it wrote. */
static void test_claim_waits_for_writers(void **state)
{
	static const char there[] = "wait.example";
	struct fixture *f = *state;
	Starling__SpoolClaimRequest r = STARLING__SPOOL_CLAIM_REQUEST__INIT;
	uint32_t slot = hash_slot(str_from(there));
	struct answer claim, late;
	char sql[300];

	spool_claim_call(f, there, A, NULL, 0);
	snprintf(sql, sizeof sql,
	         "BEGIN; SELECT pg_advisory_xact_lock(1398031704, %u); INSERT INTO spool VALUES ('%s', nextval('spool_ids'), %u, 1, 1, 1, "
	         "1, "
	         "'', 'x', NULL); INSERT INTO spool_domain VALUES (%u, '%s', 1, 1)",
	         slot, there, slot, slot, there);
	fixture_sql(f, sql);
	r.slots = &slot;
	r.n_slots = 1;
	r.instance = B;
	fixture_send(f, METHOD_STORAGE_SPOOL_CLAIM, &r, STR(""), &claim);
	fixture_run_ms(f, 200);
	assert_false(claim.done);
	/* Comes behind the claim. */
	spool_send(f, &(struct spooled){ .domain = there, .epoch = 1 }, &late);
	fixture_run_ms(f, 50);
	fixture_sql(f, "COMMIT");
	assert_true(fixture_until(f, &claim.done));
	assert_int_equal(claim.code, OK);
	assert_int_equal(spool_count(f, there), 1);
	assert_true(fixture_until(f, &late.done));
	assert_int_equal(late.code, FENCED);
	assert_int_equal(spool_count(f, there), 1);
	answer_free(&claim);
	answer_free(&late);
}

static struct store *second_store(struct fixture *f)
{
	struct store_config config = fixture_config(f);
	struct store *second;
	bool ready = false;
	struct err e;

	config.ctx = (char *)&ready - offsetof(struct fixture, ready);
	second = store_new(&config, &e);
	assert_non_null(second);
	assert_true(fixture_until(f, &ready));
	return second;
}

/*
 * Appends by one instance, claims by another: after a claim's answer nothing of a lower epoch is added any more. A claim comes when
 * some appends have been answered, more in each round, and there are rounds until it has come before some and behind others: how fast
 * the machine is does not decide.
 */
static void test_claim_races_appends(void **state)
{
	static const char there[] = "race.example";
	struct fixture *f = *state;
	struct answer *a = mem_zalloc(MANY * sizeof *a), claim;
	uint32_t slot = hash_slot(str_from(there));
	long rows, stored = 0, fenced = 0;
	struct store *second = second_store(f);

	for (int round = 0; round < 20 || (round < MANY && (!stored || !fenced)); round++) {
		uint64_t epoch = spool_claim_call(f, there, round % 2 ? A : B, NULL, 0).epoch;

		for (int i = 0; i < MANY; i++) {
			spool_send(f, &(struct spooled){ .domain = there, .epoch = epoch }, &a[i]);
			if (i % 20 == 0)
				uv_run(&f->loop, UV_RUN_NOWAIT);
		}
		for (int i = 0; i < round; i++)
			assert_true(fixture_until(f, &a[i].done));
		claim = spool_claim_to(f, second, &slot, 1, C, NULL, 0);
		assert_int_equal(((const Starling__SpoolOwnersReply *)claim.reply)->owners[0]->epoch, epoch + 1);
		answer_free(&claim);
		rows = fixture_sql(f, "SELECT count(*) FROM spool WHERE domain = 'race.example'");
		for (int i = 0; i < MANY; i++) {
			assert_true(fixture_until(f, &a[i].done));
			assert_true(a[i].code == OK || a[i].code == FENCED);
			stored += a[i].code == OK;
			fenced += a[i].code == FENCED;
			answer_free(&a[i]);
		}
		assert_int_equal(fixture_sql(f, "SELECT count(*) FROM spool WHERE domain = 'race.example'"), rows);
		assert_int_equal(rows, stored);
	}
	assert_true(stored > 0 && fenced > 0);
	store_free(&second);
	mem_free(a);
}

/* Both claim everything at once, and alive are both: every slot has one owner, and both are told the same. */
static void test_two_claims(void **state)
{
	struct fixture *f = *state;
	Starling__SpoolClaimRequest r = STARLING__SPOOL_CLAIM_REQUEST__INIT;
	uint64_t alive[] = { A, B };
	uint32_t slots[SLOT_COUNT];
	struct answer a[2];
	const Starling__SpoolOwnersReply *one, *two;
	struct store *second = second_store(f);

	fixture_sql(f, "UPDATE spool_owner SET epoch = 7, instance = 99");
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		slots[i] = i * 5 % SLOT_COUNT;
	r.slots = slots;
	r.alive = alive;
	r.n_alive = 2;
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 2; i++) {
			a[i] = (struct answer){ 0 };
			r.n_slots = i || round ? SLOT_COUNT : SLOT_COUNT / 2;
			r.instance = alive[i];
			store_submit(i ? second : f->store, METHOD_STORAGE_SPOOL_CLAIM & 0xff, &r.base, STR(""), 0, fixture_on_answer,
			             &a[i]);
		}
		for (int i = 0; i < 2; i++) {
			assert_true(fixture_until(f, &a[i].done));
			assert_int_equal(a[i].code, OK);
		}
		one = (const Starling__SpoolOwnersReply *)a[0].reply;
		two = (const Starling__SpoolOwnersReply *)a[1].reply;
		assert_int_equal(two->n_owners, SLOT_COUNT);
		for (size_t i = 0; i < one->n_owners; i++) {
			const Starling__SpoolOwner *x = one->owners[i], *y = two->owners[x->slot];

			assert_true(x->slot == y->slot && x->instance == y->instance && x->epoch == y->epoch);
			assert_int_equal(x->epoch, 8);
		}
		answer_free(&a[0]);
		answer_free(&a[1]);
	}
	fixture_sql(f, "UPDATE spool_owner SET epoch = 0, instance = 0");
	store_free(&second);
}

/* Batches of two instances for the same slots in opposite order, claims and releases of all slots between them: nobody waits in a circle. */
static void test_no_circles(void **state)
{
	struct fixture *f = *state;
	struct answer *a = mem_zalloc(3 * MANY * sizeof *a);
	Starling__SpoolClaimRequest r = STARLING__SPOOL_CLAIM_REQUEST__INIT;
	double split = metric_batches_split.value;
	uint32_t slots[SLOT_COUNT];
	char domain[32];
	struct store *second = second_store(f);

	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		slots[i] = SLOT_COUNT - 1 - i;
	r.slots = slots;
	r.n_slots = SLOT_COUNT;
	for (int i = 0; i < MANY; i++) {
		snprintf(domain, sizeof domain, "circle%d.example", i % 40);
		spool_send(f, &(struct spooled){ .domain = domain }, &a[3 * i]);
		snprintf(domain, sizeof domain, "circle%d.example", 39 - i % 40);
		spool_send_to(second, &(struct spooled){ .domain = domain }, &a[3 * i + 1]);
		r.instance = i % 2 ? A : B;
		a[3 * i + 2] = (struct answer){ .done = i % 20 != 0 };
		if (i % 20 == 0)
			store_submit(i % 40 ? second : f->store, METHOD_STORAGE_SPOOL_CLAIM & 0xff, &r.base, STR(""), 0, fixture_on_answer,
			             memset(&a[3 * i + 2], 0, sizeof *a));
		if (i % 10 == 0)
			uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	for (int i = 0; i < 3 * MANY; i++) {
		assert_true(fixture_until(f, &a[i].done));
		assert_int_equal(a[i].code, OK);
		answer_free(&a[i]);
	}
	assert_true(metric_batches_split.value == split);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM spool WHERE domain LIKE 'circle%'"), 2 * MANY);
	store_free(&second);
	mem_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claim),
		cmocka_unit_test(test_claim_refusals),
		cmocka_unit_test(test_renew),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_fences),
		cmocka_unit_test(test_never_claimed),
		cmocka_unit_test(test_claim_waits_for_writers),
		cmocka_unit_test(test_claim_races_appends),
		cmocka_unit_test(test_two_claims),
		cmocka_unit_test(test_no_circles),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
