/* SPDX-License-Identifier: Apache-2.0
 *
 * listen_test: where links are, and which socket files are removed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipc/runtime/listen.h"

static void test_link_endpoint(void **state)
{
	static const char *const ipc[] = { "tcp://r:7700", "ipc:///run/s/router.*.ipc" }, *const tcp[] = { "tcp://r:7700" };
	static const struct {
		const char *link;
		const char *const *routers;
		uint32_t count;
		const char *expect; /* NULL: none */
	} cases[] = {
		{ NULL, ipc, 2, NULL },
		{ "none", ipc, 2, NULL },
		{ "", ipc, 2, "ipc:///run/s/link-00000000000000ab" },
		{ "", tcp, 1, NULL },
		{ "eth0", tcp, 1, "tcp://eth0:*" },
		{ "10.0.0.5", ipc, 2, "tcp://10.0.0.5:*" },
		{ "fd00::5", tcp, 1, "tcp://[fd00::5]:*" },
		{ "[fd00::5]", tcp, 1, "tcp://[fd00::5]:*" },
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bool found = listen_link_endpoint(cases[i].link, cases[i].routers, cases[i].count, 0xab, out, sizeof(out));

		assert_int_equal(found, cases[i].expect != NULL);
		if (found)
			assert_string_equal(out, cases[i].expect);
	}
	assert_false(listen_link_endpoint("", ipc, 2, 0xab, out, 10)); /* no room: none rather than another */
}

static int bind_file(const char *dir, const char *name, bool listening)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", dir, name);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	if (listening)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static bool exists(const char *dir, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void test_sweep(void **state)
{
	char dir[] = "/tmp/starling-listen-XXXXXX", endpoint[128], command[128];
	int live, dead, other;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	live = bind_file(dir, "link-1", true);
	dead = bind_file(dir, "link-2", false);
	other = bind_file(dir, "router.x.ipc", false);
	snprintf(endpoint, sizeof(endpoint), "%s/link-3", dir);
	f = fopen(endpoint, "w"); /* no socket: not ours */
	fclose(f);
	close(dead);
	close(other);
	snprintf(endpoint, sizeof(endpoint), "ipc://%s/link-9", dir);
	assert_int_equal(listen_sweep(endpoint, 60), 0); /* all are young */
	assert_int_equal(listen_sweep(endpoint, 0), 1);
	assert_true(exists(dir, "link-1"));
	assert_false(exists(dir, "link-2"));
	assert_true(exists(dir, "link-3"));
	assert_true(exists(dir, "router.x.ipc"));
	assert_int_equal(listen_sweep("tcp://eth0:*", 0), 0);
	close(live);
	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_link_endpoint), cmocka_unit_test(test_sweep) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
