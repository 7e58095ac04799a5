/* SPDX-License-Identifier: Apache-2.0
 *
 * keys_test: key files, and the map that others lean on (idmap). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "ipc/runtime/idmap.h"
#include "ipc/runtime/keys.h"

static char dir[] = "/tmp/starling-keys-XXXXXX", path[64];

static const char *file(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_text(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_key_file(void **state)
{
	struct keypair a, b;
	struct stat st;
	struct err e;

	(void)state;
	keypair_generate(&a);
	assert_int_equal(keypair_write(file("auth.key"), &a, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(keypair_read(path, &b, &e), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(keypair_write(path, &a, &e), -1); /* never replaces a key */
	assert_int_equal(keypair_read(file("none.key"), &b, &e), -1);
	write_text("public short\nsecret short\n");
	assert_int_equal(keypair_read(path, &b, &e), -1);
}

static void test_allow(void **state)
{
	struct keypair a, b;
	struct allow allow;
	struct err e;
	char text[256];

	(void)state;
	keypair_generate(&a);
	keypair_generate(&b);
	assert_int_equal(allow_add(file("allow"), "auth", a.public_key, &e), 0);
	assert_int_equal(allow_add(path, "storage", b.public_key, &e), 0);
	assert_int_equal(allow_add(path, "Bad Role", b.public_key, &e), -1);
	assert_int_equal(allow_add(path, "auth", "nokey", &e), -1);
	assert_int_equal(allow_read(path, &allow, &e), 0);
	assert_int_equal(allow.count, 2);
	assert_true(allow_has(&allow, "auth", a.public_key));
	assert_true(allow_has(&allow, NULL, b.public_key));
	assert_false(allow_has(&allow, "storage", a.public_key));
	allow_fini(&allow);
	snprintf(text, sizeof(text), "# by hand\n\n  auth\t%s  \r\n", a.public_key);
	file("allow2");
	write_text(text);
	assert_int_equal(allow_read(path, &allow, &e), 0);
	assert_int_equal(allow.count, 1);
	allow_fini(&allow);
	write_text("auth not-a-key\n");
	assert_int_equal(allow_read(path, &allow, &e), -1);
	assert_non_null(strstr(e.text, ":1:"));
}

static void test_idmap(void **state)
{
	static uint64_t ids[3000];
	static char there[3000];
	struct idmap m = { 0 };

	(void)state;
	for (size_t i = 0; i < 3000; i++)
		ids[i] = i % 2 ? random_u64() : i + 1;
	for (unsigned round = 0; round < 60000; round++) {
		size_t i = (size_t)(random_u64() % 3000);

		if (there[i])
			idmap_remove(&m, ids[i]);
		else
			idmap_put(&m, ids[i], &ids[i]);
		there[i] = !there[i];
	}
	size_t n = 0;
	for (size_t i = 0; i < 3000; i++) {
		assert_ptr_equal(idmap_get(&m, ids[i]), there[i] ? &ids[i] : NULL);
		n += (size_t)there[i];
	}
	assert_int_equal(m.count, n);
	assert_null(idmap_get(&m, 0));
	idmap_fini(&m);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "auth.key", "none.key", "allow", "allow2" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unlink(file(names[i]));
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_key_file), cmocka_unit_test(test_allow), cmocka_unit_test(test_idmap) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
