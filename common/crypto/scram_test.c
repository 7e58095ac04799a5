/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/scram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/crypto/base64.h"
#include "common/crypto/scram_client.h"

/* RFC 5802 section 5, RFC 7677 section 3; for SHA-512 no RFC has one, it was computed with Python's hashlib. */
static const struct vector {
	enum digest hash;
	const char *first_bare, *server_nonce, *salt, *server_first, *final_without_proof, *proof, *signature;
} vectors[] = {
	{ DIGEST_SHA1, "n=user,r=fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j", "QSXCR+Q6sek8bf92",
	  "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096", "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
	  "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=" },
	{ DIGEST_SHA256, "n=user,r=rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
	  "W22ZaJ0SNY7soEsUEjb6gQ==", "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	  "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
	  "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" },
	{ DIGEST_SHA512, "n=user,r=rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
	  "W22ZaJ0SNY7soEsUEjb6gQ==", "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	  "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
	  "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
	  "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==" },
};

static struct scram_keys keys_of(const struct vector *v, const char *password)
{
	struct scram_keys keys;
	uint8_t salt[SCRAM_SALT_MAX];
	size_t n;

	assert_true(base64_decode(str_from(v->salt), salt, &n));
	scram_derive(v->hash, str_from(password), str_make(salt, n), 4096, &keys);
	return keys;
}

static struct str nonce_of(const struct vector *v)
{
	const char *r = v->server_first + 2;

	return str_make(r, (size_t)(strchr(r, ',') - r));
}

static struct scram_exchange exchange_of(const struct vector *v)
{
	return (struct scram_exchange){
		.gs2_header = STR("n,,"),
		.client_first_bare = str_from(v->first_bare),
		.server_first = str_from(v->server_first),
		.nonce = nonce_of(v),
	};
}

static void server_follows_the_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		struct scram_keys keys = keys_of(v, "pencil");
		struct scram_exchange x = exchange_of(v);
		struct buf first = { 0 }, final = { 0 }, out = { 0 };
		struct str client_nonce = str_from(strstr(v->first_bare, "r=") + 2);

		assert_true(
		        scram_write_server_first(&first, client_nonce, str_from(v->server_nonce), str_make(keys.salt, keys.salt_n), 4096));
		assert_true(str_is(buf_str(&first), v->server_first));
		buf_printf(&final, "%s,p=%s", v->final_without_proof, v->proof);
		assert_int_equal(scram_finish(&x, &keys, buf_str(&final), &out), SCRAM_OK);
		assert_true(str_is(buf_str(&out), v->signature));
		buf_fini(&first);
		buf_fini(&final);
		buf_fini(&out);
	}
}

static void client_follows_the_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		struct scram_client_config config = { .hash = v->hash,
			                              .username = STR("user"),
			                              .password = STR("pencil"),
			                              .nonce = str_from(strstr(v->first_bare, "r=") + 2) };
		struct scram_client *c = scram_client_new(&config);
		struct buf expected = { 0 };
		struct str final;

		buf_printf(&expected, "n,,%s", v->first_bare);
		assert_true(str_eq(scram_client_first(c), buf_str(&expected)));
		assert_false(scram_client_accepts(c, str_from(v->signature)));
		assert_true(scram_client_final(c, str_from(v->server_first), &final));
		buf_clear(&expected);
		buf_printf(&expected, "%s,p=%s", v->final_without_proof, v->proof);
		assert_true(str_eq(final, buf_str(&expected)));
		assert_true(scram_client_accepts(c, str_from(v->signature)));
		assert_false(scram_client_accepts(c, STR("v=rmF9pqV8S7suAoZWja4dJRkFsKR=")));
		assert_false(scram_client_accepts(c, STR("e=other-error")));
		buf_fini(&expected);
		scram_client_free(&c);
	}
}

static enum scram_verdict finish(const struct scram_exchange *x, const struct scram_keys *keys, const char *final)
{
	struct buf out = { 0 };
	enum scram_verdict verdict = scram_finish(x, keys, str_from(final), &out);

	if (verdict != SCRAM_OK)
		assert_int_equal(buf_str(&out).n, 0);
	buf_fini(&out);
	return verdict;
}

#define NONCE "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define PROOF "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static void refuses_wrong_final_messages(void **state)
{
	struct scram_keys keys = keys_of(&vectors[1], "pencil"), other = keys_of(&vectors[1], "pencil2");
	struct scram_exchange x = exchange_of(&vectors[1]);

	(void)state;
	assert_int_equal(finish(&x, &keys, "c=biws,r=" NONCE ",p=" PROOF), SCRAM_OK);
	assert_int_equal(finish(&x, &other, "c=biws,r=" NONCE ",p=" PROOF), SCRAM_WRONG_PROOF);
	assert_int_equal(finish(&x, &keys, "c=biws,r=" NONCE ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), SCRAM_WRONG_PROOF);
	/* A signed part that was changed: an extension came in. */
	assert_int_equal(finish(&x, &keys, "c=biws,r=" NONCE ",x=y,p=" PROOF), SCRAM_WRONG_PROOF);
	assert_int_equal(finish(&x, &keys, "c=biws,r=" NONCE "1,p=" PROOF), SCRAM_WRONG_NONCE);
	assert_int_equal(finish(&x, &keys, "c=biws,r=rOprNGfwEbeRWgbNEkqO,p=" PROOF), SCRAM_WRONG_NONCE);
	assert_int_equal(finish(&x, &keys, "c=eSws,r=" NONCE ",p=" PROOF), SCRAM_WRONG_BINDING);
	assert_int_equal(finish(&x, &keys, "c=biwsAA==,r=" NONCE ",p=" PROOF), SCRAM_WRONG_BINDING);
	assert_int_equal(finish(&x, &keys, "c=biws,r=" NONCE ",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="), SCRAM_MALFORMED);
	assert_int_equal(finish(&x, &keys, ""), SCRAM_MALFORMED);
	/* The same exchange started with another message: replayed elsewhere. */
	x.server_first = STR("r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4097");
	assert_int_equal(finish(&x, &keys, "c=biws,r=" NONCE ",p=" PROOF), SCRAM_WRONG_PROOF);
}

static void stored_keys_know_the_password(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct scram_keys keys = keys_of(&vectors[i], "pencil");

		assert_true(scram_password_matches(&keys, STR("pencil")));
		assert_false(scram_password_matches(&keys, STR("pencil ")));
		assert_false(scram_password_matches(&keys, STR("")));
	}
}

/* Both sides over each hash with channel binding; then the channel differs. */
static void binds_to_the_channel(void **state)
{
	static const struct str data = { "\0\1\2\3binding", 11 };

	(void)state;
	for (int hash = 0; hash < DIGEST_COUNT; hash++) {
		struct scram_client_config config = { .hash = (enum digest)hash,
			                              .username = STR("a,b=c"),
			                              .password = STR("secret"),
			                              .authzid = STR("a@b"),
			                              .cbind = SCRAM_CBIND_USED,
			                              .cbind_type = STR("tls-exporter"),
			                              .cbind_data = data };
		struct scram_client *c = scram_client_new(&config);
		struct scram_client_first first;
		struct scram_keys keys;
		struct scram_exchange x;
		struct buf server_first = { 0 }, nonce = { 0 }, out = { 0 };
		struct str final;

		assert_true(scram_parse_client_first(scram_client_first(c), &first));
		assert_true(str_is(first.gs2_header, "p=tls-exporter,a=a@b,"));
		assert_true(str_is(first.username, "a=2Cb=3Dc"));
		scram_derive(config.hash, STR("secret"), STR("0123456789abcdef"), SCRAM_ITERATIONS_MIN, &keys);
		scram_write_server_first(&server_first, first.nonce, STR("more"), str_make(keys.salt, keys.salt_n), keys.iterations);
		buf_append_str(&nonce, first.nonce);
		buf_append_cstr(&nonce, "more");
		x = (struct scram_exchange){ first.gs2_header, data, first.bare, buf_str(&server_first), buf_str(&nonce) };
		assert_true(scram_client_final(c, buf_str(&server_first), &final));
		assert_int_equal(scram_finish(&x, &keys, final, &out), SCRAM_OK);
		assert_true(scram_client_accepts(c, buf_str(&out)));
		x.cbind_data = STR("another channel");
		assert_int_equal(scram_finish(&x, &keys, final, &out), SCRAM_WRONG_BINDING);
		x.cbind_data = data;
		x.gs2_header = STR("n,a=a@b,");
		assert_int_equal(scram_finish(&x, &keys, final, &out), SCRAM_WRONG_BINDING);
		buf_fini(&server_first);
		buf_fini(&nonce);
		buf_fini(&out);
		scram_client_free(&c);
	}
}

static void client_refuses_a_wrong_server(void **state)
{
	struct scram_client_config config = { .hash = DIGEST_SHA256, .username = STR("u"), .password = STR("p"), .nonce = STR("abc") };
	struct scram_client *c = scram_client_new(&config);
	struct str out;

	(void)state;
	assert_false(scram_client_final(c, STR("r=abc,s=QSXCR+Q6sek8bf92,i=4096"), &out));
	assert_false(scram_client_final(c, STR("r=xbcd,s=QSXCR+Q6sek8bf92,i=4096"), &out));
	assert_false(scram_client_final(c, STR("r=abcd,s=QSXCR+Q6sek8bf92,i=4095"), &out));
	assert_false(scram_client_final(c, STR("e=other-error"), &out));
	assert_true(scram_client_final(c, STR("r=abcd,s=QSXCR+Q6sek8bf92,i=4096"), &out));
	assert_false(scram_client_accepts(c, STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
	scram_client_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(server_follows_the_vectors),   cmocka_unit_test(client_follows_the_vectors),
		cmocka_unit_test(refuses_wrong_final_messages), cmocka_unit_test(stored_keys_know_the_password),
		cmocka_unit_test(binds_to_the_channel),         cmocka_unit_test(client_refuses_a_wrong_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
