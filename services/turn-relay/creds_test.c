/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/creds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/crypto/base64.h"
#include "common/crypto/digest.h"
#include "common/stun/stun_writer.h"

#define REALM  "example.org"
#define SECRET "north-of-the-wall"
#define NAME   "1893456000:romeo@example.org"

static char dir[] = "/tmp/turn-creds-XXXXXX", secrets[64], users[64];

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static struct creds *load(const char *secret_lines, const char *user_lines)
{
	struct err e = { "" };
	struct creds *c;

	put(secrets, secret_lines);
	put(users, user_lines);
	c = creds_load(secrets, users, REALM, &e);
	if (!c)
		fail_msg("%s", e.text);
	return c;
}

/* A request with a name, or the hash of one, signed with a password. */
static struct stun_message sign(uint8_t bytes[512], const char *name, bool hashed, const char *password, uint16_t algorithm)
{
	static const uint8_t id[STUN_ID_SIZE];
	uint8_t hash[STUN_USERHASH_SIZE];
	struct stun_writer w;
	struct stun_message m;
	struct stun_key key;

	stun_begin(&w, bytes, 512, STUN_REQUEST, STUN_ALLOCATE, id);
	if (hashed) {
		stun_userhash(hash, str_from(name), STR(REALM));
		stun_put(&w, STUN_T_USERHASH, str_make(hash, sizeof(hash)));
	} else {
		stun_put(&w, STUN_T_USERNAME, str_from(name));
	}
	assert_true(stun_key_long_term(&key, algorithm, str_from(name), STR(REALM), str_from(password)));
	stun_sign(&w, &key, algorithm == STUN_ALGORITHM_SHA256);
	/* As memory on a stack is: what a message has not must not be looked at. */
	memset(&m, 0xA5, sizeof(m));
	assert_true(stun_message_read(&m, str_make(bytes, w.n)));
	return m;
}

/* What coturn's `turnutils_uclient -W` computes. */
static const char *password_of(const char *secret, const char *name, char out[64])
{
	char command[256];
	FILE *p;

	snprintf(command, sizeof(command), "printf %%s '%s' | openssl dgst -sha1 -hmac '%s' -binary | base64", name, secret);
	p = popen(command, "r");
	assert_non_null(p);
	assert_non_null(fgets(out, 64, p));
	pclose(p);
	out[strcspn(out, "\n")] = '\0';
	return out;
}

static enum creds_verdict check(const struct creds *c, const char *name, bool hashed, const char *password, uint16_t algorithm,
                                int64_t now_s, const char *account)
{
	uint8_t bytes[512];
	struct stun_message m = sign(bytes, name, hashed, password, algorithm);
	struct creds_user user;
	struct stun_key key;
	enum creds_verdict v = creds_check(c, &m, algorithm, now_s, &user, &key);

	if (v == CREDS_OK)
		assert_true(str_is(user.account, account));
	return v;
}

static void test_secrets(void **state)
{
	struct creds *c = load("# first\n " SECRET " \t\r\n\nanother-secret-of-ours\n", "");
	char first[64], second[64], third[64];

	(void)state;
	password_of(SECRET, NAME, first);
	password_of("another-secret-of-ours", NAME, second);
	password_of("a-secret-nobody-has", NAME, third);
	for (uint16_t algorithm = 1; algorithm <= 2; algorithm++) {
		assert_int_equal(check(c, NAME, false, first, algorithm, 1800000000, "romeo@example.org"), CREDS_OK);
		assert_int_equal(check(c, NAME, false, second, algorithm, 1800000000, "romeo@example.org"), CREDS_OK);
		assert_int_equal(check(c, NAME, false, third, algorithm, 1800000000, ""), CREDS_WRONG);
		assert_int_equal(check(c, NAME, false, first, algorithm, 1893456000, ""), CREDS_EXPIRED);
		assert_int_equal(check(c, NAME, false, third, algorithm, 1893456000, ""), CREDS_WRONG);
	}
	/* A hash of it could be anybody's. */
	assert_int_equal(check(c, NAME, true, first, 2, 1800000000, ""), CREDS_WRONG);
	creds_unref(&c);
	assert_null(c);
}

static void test_names(void **state)
{
	static const char *const bad[] = { "romeo",  "0:romeo",  "x1893456000:romeo",         "1893456000romeo",
		                           ":romeo", "-1:romeo", "18934560001893456000:romeo" };
	struct creds *c = load(SECRET "\n", "");
	char password[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(check(c, bad[i], false, password_of(SECRET, bad[i], password), 1, 1, ""), CREDS_WRONG);
	assert_int_equal(check(c, "1893456000", false, password_of(SECRET, "1893456000", password), 1, 1, "1893456000"), CREDS_OK);
	assert_int_equal(check(c, "1893456000:", false, password_of(SECRET, "1893456000:", password), 1, 1, "1893456000:"), CREDS_OK);
	creds_unref(&c);
}

static void test_name_with_a_hole(void **state)
{
	static const struct str name = { "1893456000:ro\0meo", 17 };
	static const uint8_t id[STUN_ID_SIZE];
	struct creds *c = load(SECRET "\n", "");
	uint8_t bytes[512], mac[DIGEST_MAX];
	char password[28];
	struct stun_writer w;
	struct stun_message m;
	struct stun_key key;
	struct creds_user user;

	(void)state;
	digest_hmac(DIGEST_SHA1, STR(SECRET), name, mac);
	base64_encode(str_make(mac, 20), password);
	stun_begin(&w, bytes, sizeof(bytes), STUN_REQUEST, STUN_ALLOCATE, id);
	stun_put(&w, STUN_T_USERNAME, name);
	assert_true(stun_key_long_term(&key, STUN_ALGORITHM_MD5, name, STR(REALM), str_make(password, sizeof(password))));
	stun_sign(&w, &key, false);
	assert_true(stun_message_read(&m, str_make(bytes, w.n)));
	assert_int_equal(creds_check(c, &m, STUN_ALGORITHM_MD5, 1, &user, &key), CREDS_WRONG);
	creds_unref(&c);
}

static void test_users(void **state)
{
	struct creds *c = load("", "juliet:ba:lcony\nromeo:montague\nro:short\nromeo2:long\n"), *again;

	(void)state;
	for (int hashed = 0; hashed < 2; hashed++) {
		assert_int_equal(check(c, "juliet", hashed, "ba:lcony", 1, 1, "juliet"), CREDS_OK);
		assert_int_equal(check(c, "romeo", hashed, "montague", 2, 1, "romeo"), CREDS_OK);
		assert_int_equal(check(c, "ro", hashed, "short", 2, 1, "ro"), CREDS_OK);
		assert_int_equal(check(c, "romeo2", hashed, "long", 1, 1, "romeo2"), CREDS_OK);
		assert_int_equal(check(c, "romeo", hashed, "capulet", 1, 1, ""), CREDS_WRONG);
		assert_int_equal(check(c, "tybalt", hashed, "montague", 1, 1, ""), CREDS_WRONG);
	}
	/* Without a secret a name with a time in it is nobody's. */
	assert_int_equal(check(c, NAME, false, "", 1, 1, ""), CREDS_WRONG);
	again = creds_ref(c);
	creds_unref(&c);
	assert_int_equal(check(again, "juliet", false, "ba:lcony", 1, 1, "juliet"), CREDS_OK);
	creds_unref(&again);
}

/* A clock that jumps changes nothing but whether a name has expired, now: nothing is remembered of what it said before. */
static void test_the_clock_jumps(void **state)
{
	static const int64_t clocks[] = { 1893455999, 4102444800, 1, 1893456000, 0, -86400, 1893455998, INT64_MAX, 1700000000 };
	struct creds *c = load(SECRET "\n", "juliet:balcony\n");
	uint8_t mac[DIGEST_MAX], bytes[512];
	char password[29] = "";

	(void)state;
	digest_hmac(DIGEST_SHA1, STR(SECRET), STR(NAME), mac);
	base64_encode(str_make(mac, 20), password);
	for (size_t i = 0; i < sizeof(clocks) / sizeof(*clocks); i++) {
		struct stun_message romeo = sign(bytes, NAME, false, password, STUN_ALGORITHM_MD5), juliet;
		struct creds_user user;
		struct stun_key key;

		assert_int_equal(creds_check(c, &romeo, STUN_ALGORITHM_MD5, clocks[i], &user, &key),
		                 clocks[i] < 1893456000 ? CREDS_OK : CREDS_EXPIRED);
		juliet = sign(bytes, "juliet", false, "balcony", STUN_ALGORITHM_MD5);
		assert_int_equal(creds_check(c, &juliet, STUN_ALGORITHM_MD5, clocks[i], &user, &key), CREDS_OK);
	}
	creds_unref(&c);
}

static void refuse(const char *secret_lines, const char *user_lines, const char *why)
{
	struct err e = { "" };

	put(secrets, secret_lines);
	put(users, user_lines);
	assert_null(creds_load(secrets, users, REALM, &e));
	if (!strstr(e.text, why))
		fail_msg("%s does not say %s", e.text, why);
}

static void test_refused(void **state)
{
	char line[1100];
	struct err e = { "" };

	(void)state;
	refuse("", "", "nobody could use the relay");
	refuse("# nothing\n", "", "nobody could use the relay");
	refuse("short\n", "", ":1: a secret is shorter");
	refuse(SECRET "\n", "juliet\n", ":1: NAME:PASSWORD");
	refuse("", "romeo:x\njuliet:\n", ":2: NAME:PASSWORD");
	refuse("", ":x\n", "NAME:PASSWORD");
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	refuse(line, "", "longer than");
	assert_null(creds_load("/nonexistent/turn.secrets", "", REALM, &e));
	assert_non_null(strstr(e.text, "No such file"));
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(secrets, sizeof(secrets), "%s/secrets", dir);
	snprintf(users, sizeof(users), "%s/users", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(secrets);
	unlink(users);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_secrets),          cmocka_unit_test(test_names),
		                            cmocka_unit_test(test_name_with_a_hole), cmocka_unit_test(test_users),
		                            cmocka_unit_test(test_the_clock_jumps),  cmocka_unit_test(test_refused) };

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
