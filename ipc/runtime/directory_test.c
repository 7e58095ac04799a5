/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/runtime/directory.h"

struct seen {
	unsigned came, gone, broken;
};

static void on_peer(struct peer *p, void *ctx)
{
	(void)p;
	((struct seen *)ctx)->came++;
}

static void on_gone(struct peer *p, void *ctx)
{
	(void)p;
	((struct seen *)ctx)->gone++;
}

static void on_broken(struct peer *p, uint64_t links, void *ctx)
{
	(void)p;
	(void)links;
	((struct seen *)ctx)->broken++;
}

static const struct directory_events events = { on_peer, on_gone, on_broken };

static Starling__Registration reg(uint64_t instance, const char *role, uint64_t revision, int instance_state)
{
	Starling__Registration r = STARLING__REGISTRATION__INIT;

	r.instance = instance;
	r.role = (char *)role;
	r.revision = revision;
	r.state = (Starling__InstanceState)instance_state;
	r.connection = 1;
	return r;
}

static void merge(struct directory *d, unsigned link, Starling__Registration *a, Starling__Registration *b)
{
	Starling__DirectoryEvent event = STARLING__DIRECTORY_EVENT__INIT;
	Starling__Registration *list[] = { a ? a : b, b };

	event.instances = list;
	event.n_instances = (size_t)(a != NULL) + (b != NULL);
	directory_merge(d, link, &event, 0);
	directory_index(d);
}

enum { STARTING, READY, DRAINING };
enum { SASL = 3 * 256 + 2 };

static void test_alive_while_listed(void **state)
{
	struct seen seen = { 0 };
	struct directory d;
	Starling__Registration a = reg(1, "auth", 1, READY);

	(void)state;
	directory_init(&d, &events, &seen);
	merge(&d, 0, &a, NULL);
	merge(&d, 1, &a, NULL);
	assert_int_equal(seen.came, 1);
	merge(&d, 0, NULL, NULL);
	assert_int_equal(seen.gone, 0);
	assert_int_equal(seen.broken, 1);
	assert_non_null(directory_find(&d, 1));
	merge(&d, 1, NULL, NULL);
	assert_int_equal(seen.gone, 1);
	assert_null(directory_find(&d, 1));
	assert_null(directory_any(&d, "auth", SASL));
	directory_fini(&d);
}

static void test_newest_revision_wins(void **state)
{
	struct seen seen = { 0 };
	struct directory d;
	Starling__Registration old = reg(1, "auth", 1, STARTING), newer = reg(1, "auth", 2, READY);

	(void)state;
	directory_init(&d, &events, &seen);
	merge(&d, 0, &old, NULL);
	assert_null(directory_any(&d, "auth", SASL));
	merge(&d, 1, &newer, NULL);
	assert_non_null(directory_any(&d, "auth", SASL));
	merge(&d, 0, &old, NULL);
	assert_non_null(directory_any(&d, "auth", SASL));
	directory_fini(&d);
}

static void test_turns(void **state)
{
	struct seen seen = { 0 };
	struct directory d;
	Starling__Registration a = reg(1, "auth", 1, READY), b = reg(2, "auth", 1, READY), drain = reg(2, "auth", 2, DRAINING);
	unsigned hits[3] = { 0 };

	(void)state;
	directory_init(&d, &events, &seen);
	merge(&d, 0, &a, &b);
	for (int i = 0; i < 10; i++)
		hits[directory_any(&d, "auth", SASL)->instance]++;
	assert_int_equal(hits[1], 5);
	assert_int_equal(hits[2], 5);
	merge(&d, 0, &a, &drain);
	for (int i = 0; i < 10; i++)
		assert_int_equal(directory_any(&d, "auth", SASL)->instance, 1);
	assert_non_null(directory_find(&d, 2));
	directory_fini(&d);
}

static void test_any_knows_the_method(void **state)
{
	struct seen seen = { 0 };
	struct directory d;
	Starling__Registration a = reg(1, "auth", 1, READY), b = reg(2, "auth", 1, READY);
	Starling__InterfaceVersion former = STARLING__INTERFACE_VERSION__INIT, newer = STARLING__INTERFACE_VERSION__INIT;
	Starling__InterfaceVersion *formers[] = { &former }, *newers[] = { &newer };
	unsigned hits[3] = { 0 };

	(void)state;
	former.interface = newer.interface = SASL / 256;
	former.version = SASL % 256;
	newer.version = SASL % 256 + 1;
	a.n_interfaces = b.n_interfaces = 1;
	a.interfaces = formers;
	b.interfaces = newers;
	directory_init(&d, &events, &seen);
	merge(&d, 0, &a, &b);
	for (int i = 0; i < 10; i++)
		assert_int_equal(directory_any(&d, "auth", SASL + 1)->instance, 2);
	for (int i = 0; i < 10; i++)
		hits[directory_any(&d, "auth", SASL)->instance]++;
	assert_int_equal(hits[1], 5);
	/* Who does not know it says so better than nobody. */
	assert_non_null(directory_any(&d, "auth", SASL + 2));
	merge(&d, 0, &a, NULL);
	assert_int_equal(directory_any(&d, "auth", SASL + 1)->instance, 1);
	directory_fini(&d);
}

static void test_slots(void **state)
{
	struct seen seen = { 0 };
	struct directory d;
	Starling__SlotClaim low = STARLING__SLOT_CLAIM__INIT, high = STARLING__SLOT_CLAIM__INIT;
	Starling__SlotClaim *lows[] = { &low }, *highs[] = { &high };
	Starling__Registration a = reg(1, "session-manager", 1, READY), b = reg(2, "session-manager", 1, READY);

	(void)state;
	low.slot = high.slot = 77;
	low.epoch = 4;
	high.epoch = 5;
	a.n_slots = b.n_slots = 1;
	a.slots = highs;
	b.slots = lows;
	directory_init(&d, &events, &seen);
	merge(&d, 0, &a, &b);
	assert_int_equal(directory_slot(&d, "session-manager", 77)->instance, 1);
	a.state = STARLING__INSTANCE_STATE__INSTANCE_DRAINING;
	a.revision = 2;
	merge(&d, 0, &a, &b);
	assert_int_equal(directory_slot(&d, "session-manager", 77)->instance, 1);
	assert_null(directory_slot(&d, "session-manager", 78));
	assert_null(directory_slot(&d, "muc", 77));
	assert_null(directory_slot(&d, "session-manager", 5000));
	merge(&d, 0, NULL, &b);
	assert_int_equal(directory_slot(&d, "session-manager", 77)->instance, 2);
	directory_fini(&d);
}

static void test_limbo(void **state)
{
	struct seen seen = { 0 };
	struct directory d;
	Starling__Registration a = reg(1, "auth", 1, READY), b = reg(2, "auth", 1, READY);

	(void)state;
	directory_init(&d, &events, &seen);
	merge(&d, 0, &a, &b);
	directory_link_lost(&d, 0, 1000);
	directory_index(&d);
	assert_int_equal(seen.broken, 2);
	/* The router is back and knows only one of them yet: the other is not dead for that. */
	merge(&d, 0, &a, NULL);
	directory_tick(&d, 1000 + DIRECTORY_LIMBO_MS - 1);
	assert_int_equal(seen.gone, 0);
	directory_tick(&d, 1000 + DIRECTORY_LIMBO_MS);
	assert_int_equal(seen.gone, 1);
	assert_non_null(directory_find(&d, 1));
	assert_null(directory_find(&d, 2));
	directory_fini(&d);
}

/* No router lists it any more, but its direct connection stands. */
static void test_lingers(void **state)
{
	struct seen seen = { 0 };
	struct directory d;
	Starling__Registration a = reg(1, "auth", 1, READY);

	(void)state;
	directory_init(&d, &events, &seen);
	merge(&d, 0, &a, NULL);
	directory_find(&d, 1)->lingers = true;
	merge(&d, 0, NULL, NULL);
	assert_int_equal(seen.gone, 0);
	assert_true(directory_find(&d, 1)->leaving);
	merge(&d, 0, &a, NULL); /* it was the router's mistake */
	assert_false(directory_find(&d, 1)->leaving);
	assert_int_equal(d.limbo, 0);
	merge(&d, 0, NULL, NULL);
	directory_tick(&d, DIRECTORY_LINGER_MS - 1);
	assert_int_equal(seen.gone, 0);
	directory_tick(&d, DIRECTORY_LINGER_MS);
	assert_int_equal(seen.gone, 1);
	assert_int_equal(d.limbo, 0);
	directory_fini(&d);
}

static void test_new_connection_breaks(void **state)
{
	struct seen seen = { 0 };
	struct directory d;
	Starling__Registration a = reg(1, "auth", 1, READY);

	(void)state;
	directory_init(&d, &events, &seen);
	merge(&d, 0, &a, NULL);
	merge(&d, 0, &a, NULL);
	assert_int_equal(seen.broken, 0);
	a.connection = 2;
	merge(&d, 0, &a, NULL);
	assert_int_equal(seen.broken, 1);
	assert_int_equal(seen.gone, 0);
	directory_fini(&d);
}

static void test_domains(void **state)
{
	struct seen seen = { 0 };
	struct directory d;
	char *one[] = { (char *)"a.example", (char *)"b.example" };
	Starling__Registration a = reg(1, "session-manager", 1, READY), b = reg(2, "muc", 1, STARTING);

	(void)state;
	a.n_domains = 2;
	a.domains = one;
	b.n_domains = 1;
	b.domains = one;
	directory_init(&d, &events, &seen);
	merge(&d, 0, &a, &b);
	for (int i = 0; i < 4; i++)
		assert_int_equal(directory_domain(&d, STR("b.example"))->instance, 1);
	assert_int_equal(directory_domain(&d, STR("a.example"))->instance, 1);
	assert_null(directory_domain(&d, STR("c.example")));
	directory_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alive_while_listed),
		cmocka_unit_test(test_newest_revision_wins),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_any_knows_the_method),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_limbo),
		cmocka_unit_test(test_lingers),
		cmocka_unit_test(test_new_connection_breaks),
		cmocka_unit_test(test_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
