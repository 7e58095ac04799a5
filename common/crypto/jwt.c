/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/jwt.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>

#include "common/base/mem.h"
#include "common/crypto/base64.h"
#include "common/crypto/digest.h"
#include "common/crypto/jwt_keys.h"
#include "common/crypto/secret.h"

#define ES256_SIZE 64u /* RFC 7518 section 3.4: R and S, 32 bytes each */

/* As they are in the token. */
struct parts {
	struct str header, claims, signature, signed_text;
};

static bool cut(struct str token, struct parts *out)
{
	const char *first = memchr(token.p, '.', token.n), *end = token.p + token.n;
	const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;

	if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
		return false;
	out->header = str_make(token.p, (size_t)(first - token.p));
	out->claims = str_make(first + 1, (size_t)(second - first - 1));
	out->signature = str_make(second + 1, (size_t)(end - second - 1));
	out->signed_text = str_make(token.p, (size_t)(second - token.p));
	return true;
}

bool jwt_like(struct str token)
{
	struct parts parts;

	/* "eyJ" is {" in base64: every header that a library writes begins with it. */
	return token.n > 3 && memcmp(token.p, "eyJ", 3) == 0 && cut(token, &parts);
}

/* Decodes a part into memory of its own, and reads the object in it. */
static char *read_object(struct str part, struct json_value *out)
{
	char *text = mem_zalloc(base64_decoded_max(part.n + 3) + 1);
	size_t n;

	if (base64url_decode(part, text, &n) && json_read(str_make(text, n), out) && out->type == JSON_OBJECT)
		return text;
	mem_free(text);
	return NULL;
}

/* --- signatures --------------------------------------------------------------------------------------------------- */

static bool verify_secret(const struct jwt_key *key, struct str text, struct str signature)
{
	uint8_t mac[DIGEST_MAX];

	digest_hmac(DIGEST_SHA256, str_make(key->secret, key->secret_n), text, mac);
	return secret_equal_str(str_make(mac, digest_size(DIGEST_SHA256)), signature);
}

/* OpenSSL wants the two numbers in DER. NULL: they are not 32 bytes each. */
static uint8_t *to_der(struct str signature, size_t *out_n)
{
	const uint8_t *p = (const uint8_t *)signature.p;
	ECDSA_SIG *sig = signature.n == ES256_SIZE ? ECDSA_SIG_new() : NULL;
	uint8_t *der = NULL;
	int n;

	if (!sig)
		return NULL;
	ECDSA_SIG_set0(sig, BN_bin2bn(p, ES256_SIZE / 2, NULL), BN_bin2bn(p + ES256_SIZE / 2, ES256_SIZE / 2, NULL));
	n = i2d_ECDSA_SIG(sig, &der);
	ECDSA_SIG_free(sig);
	*out_n = n > 0 ? (size_t)n : 0;
	return n > 0 ? der : NULL;
}

static bool verify_public(const struct jwt_key *key, struct str text, const uint8_t *signature, size_t n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
	          EVP_DigestVerify(ctx, signature, n, (const uint8_t *)text.p, text.n) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

static bool verify(const struct jwt_key *key, struct str text, struct str signature)
{
	uint8_t *der;
	size_t n;
	bool ok;

	if (!key->pkey)
		return verify_secret(key, text, signature);
	if (strcmp(key->alg, "ES256") != 0)
		return verify_public(key, text, (const uint8_t *)signature.p, signature.n);
	der = to_der(signature, &n);
	ok = der && verify_public(key, text, der, n);
	OPENSSL_free(der);
	return ok;
}

/* The header names the key, and has its algorithm. */
static const struct jwt_key *choose(const struct jwt_keys *keys, const struct json_value *header, const char **why)
{
	struct json_value alg, kid, crit;
	char alg_text[16], kid_text[256];
	enum json_found has_kid = json_member(header, "kid", &kid);
	const struct jwt_key *key = NULL;

	*why = "a header that cannot be used";
	/* RFC 7515 section 4.1.11: we understand none of those that must be. */
	if (json_member(header, "crit", &crit) != JSON_ABSENT || has_kid == JSON_TWICE || json_member(header, "alg", &alg) != JSON_FOUND ||
	    !json_string(&alg, alg_text, sizeof(alg_text)))
		return NULL;
	if (has_kid == JSON_FOUND && !json_string(&kid, kid_text, sizeof(kid_text)))
		return NULL;
	for (size_t i = 0; i < keys->count && !key; i++) {
		if (!keys->keys[i].kid || (has_kid == JSON_FOUND ? strcmp(keys->keys[i].kid, kid_text) == 0 : keys->count == 1))
			key = &keys->keys[i];
	}
	*why = !key ? "no such key" : "not the algorithm of its key";
	return key && strcmp(key->alg, alg_text) == 0 ? key : NULL;
}

static bool verify_parts(const struct jwt_keys *keys, const struct parts *parts, const struct json_value *header, const char **why)
{
	const struct jwt_key *key = choose(keys, header, why);
	char *signature;
	size_t n;
	bool ok;

	if (!key)
		return false;
	signature = mem_zalloc(base64_decoded_max(parts->signature.n + 3) + 1);
	ok = base64url_decode(parts->signature, signature, &n) && verify(key, parts->signed_text, str_make(signature, n));
	mem_free(signature);
	*why = "a wrong signature";
	return ok;
}

bool jwt_open(const struct jwt_keys *keys, struct str token, struct jwt *out, const char **why)
{
	struct json_value value;
	struct parts parts;
	char *header;
	bool ok;

	*out = (struct jwt){ 0 };
	*why = "no token";
	if (token.n > JWT_MAX || !cut(token, &parts))
		return false;
	header = read_object(parts.header, &value);
	ok = header && verify_parts(keys, &parts, &value, why);
	mem_free(header);
	if (!ok)
		return false;
	*why = "claims that are no JSON object";
	out->text = read_object(parts.claims, &out->claims);
	return out->text != NULL;
}

void jwt_close(struct jwt *t)
{
	mem_free(t->text);
	*t = (struct jwt){ 0 };
}

/* --- claims ------------------------------------------------------------------------------------------------------- */

/* False: it is there, but no time. *out is left as it is when it is absent. */
static bool get_time(const struct jwt *t, const char *name, int64_t *out)
{
	struct json_value v;
	enum json_found found = json_member(&t->claims, name, &v);

	return found == JSON_ABSENT || (found == JSON_FOUND && json_integer(&v, out));
}

static bool is_text(const struct json_value *v, const char *want)
{
	char text[512];

	return json_string(v, text, sizeof(text)) && strcmp(text, want) == 0;
}

/* A string, or an array of them (section 4.1.3). */
static bool names(const struct jwt *t, const char *claim, const char *want)
{
	struct json_value v, item;
	size_t at = 0;

	if (!want || !want[0])
		return true;
	if (json_member(&t->claims, claim, &v) != JSON_FOUND)
		return false;
	if (is_text(&v, want))
		return true;
	while (json_item(&v, &at, &item)) {
		if (is_text(&item, want))
			return true;
	}
	return false;
}

bool jwt_check(const struct jwt *t, const struct jwt_rules *rules, int64_t now_s, int64_t *out_end, const char **why)
{
	int64_t end = INT64_MIN, begin = INT64_MIN, issued = INT64_MIN;
	struct json_value v;

	*why = "exp, nbf or iat is no time";
	if (!get_time(t, "exp", &end) || !get_time(t, "nbf", &begin) || !get_time(t, "iat", &issued))
		return false;
	*why = "no exp";
	if (end == INT64_MIN)
		return false;
	*why = "expired";
	*out_end = end + rules->leeway_s;
	if (now_s >= *out_end)
		return false;
	*why = "not yet valid";
	if ((begin != INT64_MIN && begin > now_s + rules->leeway_s) || (issued != INT64_MIN && issued > now_s + rules->leeway_s))
		return false;
	*why = "another issuer";
	if (rules->issuer && rules->issuer[0] && (json_member(&t->claims, "iss", &v) != JSON_FOUND || !is_text(&v, rules->issuer)))
		return false;
	*why = "for another audience";
	return names(t, "aud", rules->audience);
}
