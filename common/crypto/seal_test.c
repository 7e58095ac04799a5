/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/crypto/digest.h"
#include "common/crypto/secret.h"

#define NOON INT64_C(1767268800000000)

static uint8_t key_a[SEAL_KEY_SIZE], key_b[SEAL_KEY_SIZE];
static char folder[] = "/tmp/starling-seal-XXXXXX";

static int make_keys(void **state)
{
	(void)state;
	random_bytes(key_a, sizeof(key_a));
	random_bytes(key_b, sizeof(key_b));
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static enum seal_error open_with(const uint8_t *key, const char *bound_to, struct str sealed, int64_t now_us)
{
	struct seal *s = seal_new(key);
	char out[512];
	size_t n;
	enum seal_error error = seal_open(s, str_from(bound_to), sealed, now_us, out, &n);

	if (error == SEAL_OK)
		assert_true(str_is(str_make(out, n), "what must be remembered"));
	else
		assert_int_equal(n, 0);
	seal_free(&s);
	return error;
}

static void sealed_text(struct buf *out)
{
	struct seal *s = seal_new(key_a);

	assert_true(seal_close(s, STR("host+mechanism"), STR("what must be remembered"), NOON, out));
	seal_free(&s);
}

static void another_instance_opens(void **state)
{
	struct buf b = { 0 };

	(void)state;
	sealed_text(&b);
	assert_int_equal(buf_str(&b).n, 23 + SEAL_OVERHEAD);
	assert_null(memmem(b.p, b.n, "remembered", 10));
	assert_int_equal(open_with(key_a, "host+mechanism", buf_str(&b), NOON), SEAL_OK);
	assert_int_equal(open_with(key_a, "host+mechanism", buf_str(&b), NOON + SEAL_LIFE_US), SEAL_OK);
	assert_int_equal(open_with(key_a, "host+mechanism", buf_str(&b), NOON - SEAL_SKEW_US), SEAL_OK);
	buf_fini(&b);
}

static void expires_after_a_minute(void **state)
{
	struct buf b = { 0 };

	(void)state;
	sealed_text(&b);
	assert_int_equal(open_with(key_a, "host+mechanism", buf_str(&b), NOON + SEAL_LIFE_US + 1), SEAL_EXPIRED);
	assert_int_equal(open_with(key_a, "host+mechanism", buf_str(&b), NOON - SEAL_SKEW_US - 1), SEAL_EXPIRED);
	buf_fini(&b);
}

static void foreign_and_misbound_are_refused(void **state)
{
	struct buf b = { 0 };

	(void)state;
	sealed_text(&b);
	assert_int_equal(open_with(key_b, "host+mechanism", buf_str(&b), NOON), SEAL_FORGED);
	assert_int_equal(open_with(key_a, "host+mechanism2", buf_str(&b), NOON), SEAL_FORGED);
	assert_int_equal(open_with(key_a, "", buf_str(&b), NOON), SEAL_FORGED);
	buf_fini(&b);
}

static void every_changed_bit_is_noticed(void **state)
{
	struct buf b = { 0 };

	(void)state;
	sealed_text(&b);
	for (size_t bit = 0; bit < 8 * b.n; bit++) {
		b.p[bit / 8] = (char)(b.p[bit / 8] ^ 1 << bit % 8);
		assert_int_not_equal(open_with(key_a, "host+mechanism", buf_str(&b), NOON), SEAL_OK);
		b.p[bit / 8] = (char)(b.p[bit / 8] ^ 1 << bit % 8);
	}
	for (size_t n = 0; n < b.n; n++)
		assert_int_not_equal(open_with(key_a, "host+mechanism", str_make(b.p, n), NOON), SEAL_OK);
	assert_int_equal(open_with(key_a, "host+mechanism", buf_str(&b), NOON), SEAL_OK);
	buf_fini(&b);
}

static void opens_across_the_hour(void **state)
{
	struct seal *s = seal_new(key_a);
	struct buf before = { 0 }, after = { 0 };
	char out[128];
	size_t n;

	(void)state;
	assert_true(seal_close(s, STR("x"), STR(""), NOON - 1000, &before));
	assert_true(seal_close(s, STR("x"), STR("1"), NOON + 1000, &after));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(seal_open(s, STR("x"), buf_str(&before), NOON + 2000, out, &n), SEAL_OK);
		assert_int_equal(n, 0);
		assert_int_equal(seal_open(s, STR("x"), buf_str(&after), NOON + 2000, out, &n), SEAL_OK);
		assert_int_equal(n, 1);
	}
	buf_fini(&before);
	buf_fini(&after);
	seal_free(&s);
}

static void derived_keys_differ_by_purpose(void **state)
{
	struct seal *s = seal_new(key_a);
	uint8_t one[SEAL_KEY_SIZE], two[SEAL_KEY_SIZE], again[SEAL_KEY_SIZE];

	(void)state;
	seal_derive(s, "one", one);
	seal_derive(s, "two", two);
	seal_derive(s, "one", again);
	assert_memory_not_equal(one, two, sizeof(one));
	assert_memory_equal(one, again, sizeof(one));
	assert_true(secret_equal(one, again, sizeof(one)));
	assert_false(secret_equal(one, two, sizeof(one)));
	assert_false(secret_equal_str(STR("abc"), STR("ab")));
	assert_true(secret_equal_str(STR(""), STR("")));
	seal_free(&s);
}

static int load_text(const char *text, uint8_t *out)
{
	char path[128];
	struct err e;
	FILE *f;
	int result;

	snprintf(path, sizeof(path), "%s/key", folder);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	result = seal_key_load(path, out, &e);
	assert_int_equal(unlink(path), 0);
	return result;
}

static void key_file_is_made_once_and_read(void **state)
{
	char path[128];
	uint8_t key[SEAL_KEY_SIZE] = { 0 }, zero[SEAL_KEY_SIZE] = { 0 };
	struct stat st;
	struct err e;

	(void)state;
	snprintf(path, sizeof(path), "%s/auth-seal.key", folder);
	assert_int_equal(seal_key_load(path, key, &e), -1);
	assert_int_equal(seal_key_generate(path, &e), 0);
	assert_int_equal(seal_key_generate(path, &e), -1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(seal_key_load(path, key, &e), 0);
	assert_memory_not_equal(key, zero, sizeof(key));
	assert_int_equal(unlink(path), 0);
}

static void key_file_is_strict(void **state)
{
	uint8_t key[SEAL_KEY_SIZE];

	(void)state;
	assert_int_equal(load_text("000102030405060708090a0B0c0d0e0f101112131415161718191a1b1c1d1e1f\n", key), 0);
	for (int i = 0; i < SEAL_KEY_SIZE; i++)
		assert_int_equal(key[i], i);
	assert_int_equal(load_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\r\n", key), 0);
	assert_int_equal(key[31], 31);
	assert_int_equal(load_text("", key), -1);
	assert_int_equal(load_text("AAECAwQFBgcICQoLDA0ODw==\n", key), -1);
	assert_int_equal(load_text("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g\n", key), -1);
	assert_int_equal(load_text("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f00\n", key), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_instance_opens),
		cmocka_unit_test(expires_after_a_minute),
		cmocka_unit_test(foreign_and_misbound_are_refused),
		cmocka_unit_test(every_changed_bit_is_noticed),
		cmocka_unit_test(opens_across_the_hour),
		cmocka_unit_test(derived_keys_differ_by_purpose),
		cmocka_unit_test(key_file_is_made_once_and_read),
		cmocka_unit_test(key_file_is_strict),
	};

	return cmocka_run_group_tests(tests, make_keys, remove_folder);
}
