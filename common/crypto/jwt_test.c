/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens that are good, and all the ways in which they are not. */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/crypto/base64.h"
#include "common/crypto/digest.h"
#include "common/crypto/jwt.h"

static char dir[64], path[128];
static EVP_PKEY *rsa, *ec;
static const char secret[] = "0123456789abcdef0123456789abcdef";
static const char *why;

static const char *file(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_text(const char *name, const char *text)
{
	FILE *f = fopen(file(name), "w");

	fputs(text, f);
	fclose(f);
}

static void write_public(const char *name, EVP_PKEY *key)
{
	FILE *f = fopen(file(name), "w");

	PEM_write_PUBKEY(f, key);
	fclose(f);
}

static int make(void **state)
{
	char text[100] = { 0 };

	(void)state;
	strcpy(dir, "/tmp/jwt-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	rsa = EVP_RSA_gen(2048);
	ec = EVP_EC_gen("P-256");
	write_public("r.pem", rsa);
	write_public("e.pem", ec);
	base64_encode(str_from(secret), text);
	strcat(text, "\n");
	write_text("h.secret", text);
	return 0;
}

static int clean(void **state)
{
	static const char *const names[] = { "r.pem", "e.pem", "h.secret" };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		unlink(file(names[i]));
	rmdir(dir);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
	return 0;
}

static void add_part(char *out, const void *p, size_t n)
{
	char *at = out + strlen(out);

	at[base64_encode(str_make(p, n), at)] = '\0';
	for (; *at; at++)
		*at = (char)(*at == '+' ? '-' : *at == '/' ? '_' : *at);
	while (at > out && at[-1] == '=')
		*--at = '\0';
}

/* The two numbers of the DER, without it. */
static void sign_ec(uint8_t *sig, size_t *n)
{
	const uint8_t *p = sig;
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)*n);

	BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + 32, 32);
	ECDSA_SIG_free(s);
	*n = 64;
}

/* key: NULL: the secret. */
static const char *token_by(EVP_PKEY *key, const char *header, const char *claims)
{
	static char out[4096];
	uint8_t sig[512];
	size_t n = sizeof(sig);

	out[0] = '\0';
	add_part(out, header, strlen(header));
	strcat(out, ".");
	add_part(out, claims, strlen(claims));
	if (key) {
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();

		assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
		assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const uint8_t *)out, strlen(out)), 1);
		EVP_MD_CTX_free(ctx);
		if (key == ec)
			sign_ec(sig, &n);
	} else {
		digest_hmac(DIGEST_SHA256, str_from(secret), str_from(out), sig);
		n = 32;
	}
	strcat(out, ".");
	add_part(out, sig, n);
	return out;
}

static bool opens(const char *keys_at, const char *token)
{
	struct err e = { 0 };
	struct jwt_keys *keys = jwt_keys_load(keys_at, &e);
	struct jwt t;
	bool ok;

	if (!keys)
		fail_msg("%s", e.text);
	ok = jwt_open(keys, str_from(token), &t, &why);
	assert_true(!ok || t.claims.type == JSON_OBJECT);
	jwt_close(&t);
	jwt_keys_free(&keys);
	return ok;
}

/* RFC 7515 appendix A.1. */
static void the_example_of_the_rfc(void **state)
{
	static const char token[] = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
	                            "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
	                            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

	(void)state;
	write_text("k", "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ+EstJQLr/T+1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow==");
	assert_true(jwt_like(str_from(token)));
	assert_true(opens(file("k"), token));
	unlink(file("k"));
}

static void each_algorithm(void **state)
{
	(void)state;
	assert_true(opens(dir, token_by(rsa, "{\"alg\":\"RS256\",\"kid\":\"r\"}", "{}")));
	assert_true(opens(dir, token_by(ec, "{\"alg\":\"ES256\",\"kid\":\"e\"}", "{}")));
	assert_true(opens(dir, token_by(NULL, "{\"alg\":\"HS256\",\"kid\":\"h\"}", "{}")));
	/* One file is the key of all tokens. */
	assert_true(opens(file("r.pem"), token_by(rsa, "{\"alg\":\"RS256\",\"kid\":\"x\"}", "{}")));
	assert_true(opens(file("r.pem"), token_by(rsa, "{\"alg\":\"RS256\"}", "{}")));
}

static void what_is_refused(void **state)
{
	static const struct {
		const char *header, *claims, *why;
	} rows[] = {
		{ "{\"alg\":\"none\",\"kid\":\"h\"}", "{}", "not the algorithm of its key" },
		{ "{\"alg\":\"HS256\",\"kid\":\"r\"}", "{}", "not the algorithm of its key" },
		{ "{\"alg\":\"HS512\",\"kid\":\"h\"}", "{}", "not the algorithm of its key" },
		{ "{\"alg\":\"hs256\",\"kid\":\"h\"}", "{}", "not the algorithm of its key" },
		{ "{\"alg\":\"HS256\",\"kid\":\"x\"}", "{}", "no such key" },
		{ "{\"alg\":\"HS256\"}", "{}", "no such key" },
		{ "{\"alg\":\"HS256\",\"kid\":1}", "{}", "a header that cannot be used" },
		{ "{\"kid\":\"h\"}", "{}", "a header that cannot be used" },
		{ "{\"alg\":\"HS256\",\"alg\":\"HS256\",\"kid\":\"h\"}", "{}", "a header that cannot be used" },
		{ "{\"alg\":\"HS256\",\"kid\":\"h\",\"crit\":[\"exp\"]}", "{}", "a header that cannot be used" },
		{ "[]", "{}", "no token" },
		{ "{\"alg\":\"HS256\",\"kid\":\"h\"}", "[]", "claims that are no JSON object" },
		{ "{\"alg\":\"HS256\",\"kid\":\"h\"}", "{", "claims that are no JSON object" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_false(opens(dir, token_by(NULL, rows[i].header, rows[i].claims)));
		assert_string_equal(why, rows[i].why);
	}
}

/* The public key, which anybody has, as the secret (RFC 8725 section 2.1). */
static void a_public_key_is_no_secret(void **state)
{
	char text[2048] = { 0 }, token[4096] = "";
	uint8_t mac[32];
	FILE *f = fopen(file("r.pem"), "r");
	size_t n = fread(text, 1, sizeof(text) - 1, f);

	(void)state;
	fclose(f);
	add_part(token, "{\"alg\":\"HS256\",\"kid\":\"r\"}", 25);
	strcat(token, ".e30");
	digest_hmac(DIGEST_SHA256, str_make(text, n), str_from(token), mac);
	strcat(token, ".");
	add_part(token, mac, sizeof(mac));
	assert_false(opens(dir, token));
	assert_string_equal(why, "not the algorithm of its key");
}

static void wrong_signatures(void **state)
{
	char token[4096], *dot;

	(void)state;
	strcpy(token, token_by(ec, "{\"alg\":\"RS256\",\"kid\":\"r\"}", "{}"));
	assert_false(opens(dir, token));
	assert_string_equal(why, "a wrong signature");
	strcpy(token, token_by(rsa, "{\"alg\":\"ES256\",\"kid\":\"e\"}", "{}"));
	assert_false(opens(dir, token));
	strcpy(token, token_by(NULL, "{\"alg\":\"HS256\",\"kid\":\"h\"}", "{}"));
	token[strlen(token) - 5] ^= 1;
	assert_false(opens(dir, token));
	strcpy(token, token_by(NULL, "{\"alg\":\"HS256\",\"kid\":\"h\"}", "{}"));
	dot = strrchr(token, '.');
	dot[1] = '\0';
	assert_false(opens(dir, token));
	*dot = '\0';
	assert_false(jwt_like(str_from(token)));
	assert_false(opens(dir, token));
	assert_false(jwt_like(STR("eyJ.a.b.c")) || jwt_like(STR("secret")) || jwt_like(STR("a.b.c")));
}

static bool checks(const char *claims, const struct jwt_rules *rules, int64_t *end)
{
	struct jwt t = { 0 };

	assert_true(json_read(str_from(claims), &t.claims));
	return jwt_check(&t, rules, 1000, end, &why);
}

static void claims_are_looked_at(void **state)
{
	static const struct {
		const char *claims, *why; /* NULL: good */
	} rows[] = {
		{ "{\"exp\":1001}", NULL },
		{ "{\"exp\":991}", NULL },
		{ "{\"exp\":990}", "expired" },
		{ "{}", "no exp" },
		{ "{\"exp\":\"1001\"}", "exp, nbf or iat is no time" },
		{ "{\"exp\":1001,\"exp\":5000}", "exp, nbf or iat is no time" },
		{ "{\"exp\":2000.5,\"nbf\":1010,\"iat\":1010}", NULL },
		{ "{\"exp\":2000,\"nbf\":1011}", "not yet valid" },
		{ "{\"exp\":2000,\"iat\":1011}", "not yet valid" },
		{ "{\"exp\":2000,\"iat\":null}", "exp, nbf or iat is no time" },
	};
	static const struct {
		const char *claims, *why;
	} named[] = {
		{ "{\"exp\":2000,\"iss\":\"us\",\"aud\":\"mqtt\"}", NULL },
		{ "{\"exp\":2000,\"iss\":\"us\",\"aud\":[\"x\",\"mqtt\"]}", NULL },
		{ "{\"exp\":2000,\"iss\":\"us\",\"aud\":[\"x\"]}", "for another audience" },
		{ "{\"exp\":2000,\"iss\":\"us\"}", "for another audience" },
		{ "{\"exp\":2000,\"iss\":\"them\",\"aud\":\"mqtt\"}", "another issuer" },
		{ "{\"exp\":2000,\"iss\":[\"us\"],\"aud\":\"mqtt\"}", "another issuer" },
		{ "{\"exp\":2000,\"aud\":\"mqtt\"}", "another issuer" },
	};
	struct jwt_rules rules = { .leeway_s = 10 };
	int64_t end = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(checks(rows[i].claims, &rules, &end), !rows[i].why);
		if (rows[i].why)
			assert_string_equal(why, rows[i].why);
	}
	assert_true(checks("{\"exp\":1500}", &rules, &end));
	assert_int_equal(end, 1510);
	rules.issuer = "us";
	rules.audience = "mqtt";
	for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++) {
		assert_int_equal(checks(named[i].claims, &rules, &end), !named[i].why);
		if (named[i].why)
			assert_string_equal(why, named[i].why);
	}
}

static void refuse_key(const char *name, const char *text, const char *because)
{
	struct err e = { 0 };

	write_text(name, text);
	assert_null(jwt_keys_load(file(name), &e));
	assert_non_null(strstr(e.text, because));
	/* One bad file spoils the folder: a key that is not there would be looked for at the wrong end. */
	assert_null(jwt_keys_load(dir, &e));
	unlink(file(name));
}

static void bad_keys_are_refused(void **state)
{
	EVP_PKEY *small = EVP_RSA_gen(1024), *other = EVP_EC_gen("P-384");
	struct err e = { 0 };

	(void)state;
	refuse_key("short", "c2hvcnQ=", "less than 32 bytes");
	refuse_key("none", "what is this?", "neither a key");
	refuse_key("empty", "", "less than 32 bytes");
	refuse_key("broken.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no public key");
	write_public("small.pem", small);
	assert_null(jwt_keys_load(file("small.pem"), &e));
	assert_non_null(strstr(e.text, "2048"));
	unlink(file("small.pem"));
	write_public("other.pem", other);
	assert_null(jwt_keys_load(file("other.pem"), &e));
	unlink(file("other.pem"));
	assert_null(jwt_keys_load(file("missing"), &e));
	assert_non_null(strstr(e.text, "No such file"));
	EVP_PKEY_free(small);
	EVP_PKEY_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_the_rfc),    cmocka_unit_test(each_algorithm),   cmocka_unit_test(what_is_refused),
		cmocka_unit_test(a_public_key_is_no_secret), cmocka_unit_test(wrong_signatures), cmocka_unit_test(claims_are_looked_at),
		cmocka_unit_test(bad_keys_are_refused),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
