/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/links.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static uint32_t ended;
static struct worker *told;

static void on_end(struct worker *w, uint32_t id)
{
	told = w;
	ended = id;
}

static int some_socket(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Is there a link of that owner to that peer? */
static bool is_there(struct links *l, uint64_t owner, const struct net_addr *peer)
{
	uint32_t id;
	enum links_verdict v = links_add(l, owner, STR("romeo"), peer, -1, LINKS_MAX, 0, &id);

	if (v == LINKS_OK)
		links_remove(l, id);
	return v == LINKS_EXISTS;
}

static struct net_addr peer_at(uint16_t port)
{
	return (struct net_addr){ .ip = { [10] = 0xff, 0xff, 192, 0, 2, 1 }, .port = port };
}

/* Threads are told apart only. */
static struct worker *a_thread(void)
{
	static char place;

	return (struct worker *)(void *)&place;
}

static void test_fetched_once_and_by_its_account(void **state)
{
	struct links *l = links_new(on_end);
	struct net_addr peer = peer_at(80), got;
	uint32_t id = 0;
	int fd = some_socket(), back = -1;

	(void)state;
	assert_int_equal(links_add(l, 7, STR("romeo"), &peer, fd, 16, 1000, &id), LINKS_OK);
	assert_true(id != 0);
	assert_false(links_fetch(l, id, STR("juliet"), a_thread(), 1001, &back, &got));
	assert_false(links_fetch(l, id ^ LINKS_MAX, STR("romeo"), a_thread(), 1001, &back, &got));
	assert_false(links_fetch(l, 0, STR("romeo"), a_thread(), 1001, &back, &got));
	assert_false(links_fetch(l, id, STR("romeo"), a_thread(), 1000 + LINKS_BIND_MS, &back, &got));
	assert_true(links_fetch(l, id, STR("romeo"), a_thread(), 1001, &back, &got));
	assert_int_equal(back, fd);
	assert_int_equal(got.port, 80);
	assert_false(links_fetch(l, id, STR("romeo"), a_thread(), 1002, &back, &got));
	/* It is still there: no second one to that peer (446). */
	assert_int_equal(links_add(l, 7, STR("romeo"), &peer, -1, 16, 1003, &id), LINKS_EXISTS);
	assert_int_equal(links_add(l, 8, STR("romeo"), &peer, -1, 16, 1003, &id), LINKS_OK);
	links_free(&l);
	assert_true(is_open(fd));
	close(fd);
}

static void test_nobody_comes(void **state)
{
	struct links *l = links_new(on_end);
	struct net_addr called = peer_at(81), calls = peer_at(82);
	uint32_t waiting = 0, connecting = 0, id;
	int first = some_socket(), second = some_socket();

	(void)state;
	links_add(l, 7, STR("romeo"), &calls, first, 16, 1000, &waiting);
	links_add(l, 7, STR("romeo"), &called, -1, 16, 1000, &connecting);
	links_expire(l, 999 + LINKS_BIND_MS);
	assert_true(is_open(first));
	links_expire(l, 1000 + LINKS_BIND_MS);
	assert_false(is_open(first));
	/* One that is not yet connected has the time of its connecting first. */
	assert_true(!is_there(l, 7, &calls) && is_there(l, 7, &called));
	links_connected(l, connecting, second, 31500);
	links_expire(l, 31499 + LINKS_BIND_MS);
	assert_true(is_there(l, 7, &called));
	links_expire(l, 31500 + LINKS_BIND_MS);
	assert_false(is_open(second));
	assert_false(is_there(l, 7, &called));
	/* The place is used again under another number. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(links_add(l, 7, STR("romeo"), &called, -1, 16, 1000, &id), LINKS_OK);
		assert_true(id != connecting && id != waiting);
		links_remove(l, id);
	}
	links_free(&l);
}

static void test_the_allocation_ends(void **state)
{
	struct links *l = links_new(on_end);
	struct net_addr peers[3] = { peer_at(1), peer_at(2), peer_at(3) }, got;
	uint32_t waiting = 0, fetched = 0, other = 0;
	int fds[3] = { some_socket(), some_socket(), some_socket() }, back = -1;

	(void)state;
	links_add(l, 7, STR("romeo"), &peers[0], fds[0], 16, 0, &waiting);
	links_add(l, 7, STR("romeo"), &peers[1], fds[1], 16, 0, &fetched);
	links_add(l, 8, STR("romeo"), &peers[2], fds[2], 16, 0, &other);
	assert_true(links_fetch(l, fetched, STR("romeo"), a_thread(), 1, &back, &got));
	links_end_of(l, 7);
	assert_false(is_open(fds[0]));
	assert_true(is_open(fds[1]));
	assert_true(told == a_thread() && ended == fetched);
	assert_true(!is_there(l, 7, &peers[0]) && !is_there(l, 7, &peers[1]) && is_there(l, 8, &peers[2]));
	/* A connection that was made too late is closed. */
	back = some_socket();
	links_connected(l, waiting, back, 2);
	assert_false(is_open(back));
	links_free(&l);
	assert_false(is_open(fds[2]));
	close(fds[1]);
}

static void test_limits(void **state)
{
	struct links *l = links_new(on_end);
	uint32_t id;

	(void)state;
	for (uint16_t i = 1; i <= 3; i++) {
		struct net_addr peer = peer_at(i);

		assert_int_equal(links_add(l, 7, STR("romeo"), &peer, -1, 2, 0, &id), i <= 2 ? LINKS_OK : LINKS_FULL);
	}
	for (uint16_t i = 3; i <= LINKS_MAX + 1; i++) {
		struct net_addr peer = peer_at(i);

		assert_int_equal(links_add(l, 100u + i, STR("romeo"), &peer, -1, 2, 0, &id), i <= LINKS_MAX ? LINKS_OK : LINKS_FULL);
	}
	links_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fetched_once_and_by_its_account),
		cmocka_unit_test(test_nobody_comes),
		cmocka_unit_test(test_the_allocation_ends),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
