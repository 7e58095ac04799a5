/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/starling-file-XXXXXX";

static void holds(size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		fputc('a' + (int)(i % 26), f);
	assert_int_equal(fclose(f), 0);
}

static void test_read(void **state)
{
	static const size_t sizes[] = { 0, 1, 16384, 16385, 65536 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct buf text = { 0 };

		holds(sizes[i]);
		assert_int_equal(file_read(path, 65536, &text, &e), 0);
		assert_int_equal(buf_str(&text).n, sizes[i]);
		if (sizes[i])
			assert_int_equal(buf_str(&text).p[sizes[i] - 1], 'a' + (int)((sizes[i] - 1) % 26));
		buf_fini(&text);
	}
}

static void refused(const char *name, int code, const char *why)
{
	struct buf text = { 0 };
	struct err e;

	assert_int_equal(file_read(name, 65536, &text, &e), -1);
	assert_int_equal(errno, code);
	assert_non_null(strstr(e.text, why));
	assert_ptr_equal(strstr(e.text, name), e.text);
	buf_fini(&text);
}

static void test_refused(void **state)
{
	(void)state;
	holds(65537);
	refused(path, EFBIG, "larger than 64 KiB");
	refused("/nowhere/file", ENOENT, "No such file");
	refused("/tmp", EISDIR, "Is a directory");
}

static int begin(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int end(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_read), cmocka_unit_test(test_refused) };

	return cmocka_run_group_tests(tests, begin, end);
}
