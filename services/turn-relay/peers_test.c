/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MAX 3u

static struct net_addr peer(uint8_t last, uint16_t port)
{
	return (struct net_addr){ { [10] = 0xff, [11] = 0xff, 192, 0, 2, last }, port };
}

static const struct net_addr v6 = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, 9 };

static void test_permissions(void **state)
{
	struct peers p = { 0 };
	struct net_addr a = peer(1, 5), b = peer(2, 5), c = peer(3, 5), d = peer(4, 5), other_port = peer(1, 6);

	(void)state;
	assert_false(peers_permitted(&p, &a, 0));
	assert_true(peers_permit(&p, &a, 0, MAX));
	assert_true(peers_permitted(&p, &other_port, PEERS_PERMISSION_MS - 1));
	assert_false(peers_permitted(&p, &a, PEERS_PERMISSION_MS));
	assert_true(peers_permit(&p, &b, 100, MAX) && peers_permit(&p, &c, 100, MAX));
	assert_false(peers_permit(&p, &d, 100, MAX));
	assert_true(peers_permit(&p, &a, 200, MAX)); /* refreshed, no more than before */
	assert_false(peers_permitted(&p, &d, 200));
	/* b and c have expired: their places are free. */
	assert_true(peers_permit(&p, &d, 100 + PEERS_PERMISSION_MS, MAX));
	assert_int_equal(p.permission_count, 3);
	peers_fini(&p);
}

static void test_channels(void **state)
{
	struct peers p = { 0 };
	struct net_addr a = peer(1, 5), b = peer(2, 5), a2 = peer(1, 6);
	uint16_t channels;

	(void)state;
	assert_int_equal(peers_bind(&p, 0x4000, &a, 0, MAX, MAX), PEERS_BOUND);
	assert_int_equal(peers_bind(&p, 0x4000, &a, 10, MAX, MAX), PEERS_BOUND);
	assert_int_equal(peers_bind(&p, 0x4000, &b, 10, MAX, MAX), PEERS_CONFLICT);
	assert_int_equal(peers_bind(&p, 0x4001, &a, 10, MAX, MAX), PEERS_CONFLICT);
	assert_int_equal(peers_bind(&p, 0x4001, &a2, 10, MAX, MAX), PEERS_BOUND); /* another port is another peer */
	assert_int_equal(peers_count(&p, 10, &channels), 1);
	assert_int_equal(channels, 2);
	assert_int_equal(peers_by_address(&p, &a2, 10)->number, 0x4001);
	assert_null(peers_by_address(&p, &b, 10));
	assert_null(peers_by_number(&p, 0x4002, 10));
	assert_true(peers_channel_permitted(&p, peers_by_number(&p, 0x4000, 10), 10));
	/* The permission ends before the channel. */
	assert_non_null(peers_by_number(&p, 0x4000, PEERS_PERMISSION_MS + 10));
	assert_false(peers_channel_permitted(&p, peers_by_number(&p, 0x4000, PEERS_PERMISSION_MS + 10), PEERS_PERMISSION_MS + 10));
	assert_null(peers_by_number(&p, 0x4000, PEERS_CHANNEL_MS + 10));
	/* After that both may be bound otherwise. */
	assert_int_equal(peers_bind(&p, 0x4000, &b, PEERS_CHANNEL_MS + 10, MAX, MAX), PEERS_BOUND);
	assert_int_equal(peers_bind(&p, 0x4001, &a, PEERS_CHANNEL_MS + 10, MAX, MAX), PEERS_BOUND);
	peers_fini(&p);
}

/* Another peer took the place of the permission that a channel remembers. */
static void test_moved_permission(void **state)
{
	struct peers p = { 0 };
	struct net_addr a = peer(1, 5), b = peer(2, 5);
	uint64_t later = PEERS_PERMISSION_MS + 1;

	(void)state;
	assert_int_equal(peers_bind(&p, 0x4000, &a, 0, MAX, 1), PEERS_BOUND);
	assert_true(peers_permit(&p, &b, later, 1));
	assert_false(peers_channel_permitted(&p, peers_by_number(&p, 0x4000, later), later));
	assert_true(peers_permit(&p, &a, later, 2));
	assert_true(peers_channel_permitted(&p, peers_by_number(&p, 0x4000, later), later));
	peers_fini(&p);
}

static void test_limits(void **state)
{
	struct peers p = { 0 };

	(void)state;
	for (uint8_t i = 0; i < MAX; i++) {
		struct net_addr a = peer(1, (uint16_t)(100 + i));

		assert_int_equal(peers_bind(&p, (uint16_t)(0x4000 + i), &a, 0, MAX, MAX), PEERS_BOUND);
	}
	assert_int_equal(peers_bind(&p, 0x4100, &(struct net_addr){ .port = 1 }, 0, MAX, MAX), PEERS_FULL);
	assert_int_equal(peers_bind(&p, 0x4100, &v6, 0, MAX + 1, 2), PEERS_FULL); /* no permission for it */
	peers_fini(&p);
}

static void test_forget_a_family(void **state)
{
	struct peers p = { 0 };
	struct net_addr a = peer(1, 5);

	(void)state;
	assert_int_equal(peers_bind(&p, 0x4000, &a, 0, MAX, MAX), PEERS_BOUND);
	assert_int_equal(peers_bind(&p, 0x4001, &v6, 0, MAX, MAX), PEERS_BOUND);
	peers_forget(&p, true);
	assert_null(peers_by_number(&p, 0x4000, 1));
	assert_false(peers_permitted(&p, &a, 1));
	assert_non_null(peers_by_number(&p, 0x4001, 1));
	assert_true(peers_permitted(&p, &v6, 1));
	peers_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_permissions), cmocka_unit_test(test_channels),
		                            cmocka_unit_test(test_moved_permission), cmocka_unit_test(test_limits),
		                            cmocka_unit_test(test_forget_a_family) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
