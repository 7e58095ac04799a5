/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/scram.h"

#include "common/base/mem.h"
#include "common/crypto/base64.h"
#include "common/crypto/secret.h"

static const char *const verdict_names[] = {
	[SCRAM_OK] = "ok",
	[SCRAM_MALFORMED] = "malformed",
	[SCRAM_WRONG_NONCE] = "wrong nonce",
	[SCRAM_WRONG_BINDING] = "wrong channel binding",
	[SCRAM_WRONG_PROOF] = "wrong proof",
};

const char *scram_verdict_name(enum scram_verdict v)
{
	return verdict_names[v];
}

void scram_derive(enum digest hash, struct str password, struct str salt, uint32_t iterations, struct scram_keys *out)
{
	size_t n = digest_size(hash);
	uint8_t salted[DIGEST_MAX], client_key[DIGEST_MAX];

	*out = (struct scram_keys){ .hash = hash, .iterations = iterations, .salt_n = salt.n };
	memcpy(out->salt, salt.p, salt.n);
	digest_pbkdf2(hash, password, salt, iterations, salted);
	digest_hmac(hash, str_make(salted, n), STR("Client Key"), client_key);
	digest_hash(hash, str_make(client_key, n), out->stored_key);
	digest_hmac(hash, str_make(salted, n), STR("Server Key"), out->server_key);
	mem_wipe(salted, sizeof(salted));
	mem_wipe(client_key, sizeof(client_key));
}

bool scram_password_matches(const struct scram_keys *keys, struct str password)
{
	struct scram_keys again;
	bool same;

	scram_derive(keys->hash, password, str_make(keys->salt, keys->salt_n), keys->iterations, &again);
	same = secret_equal(again.stored_key, keys->stored_key, digest_size(keys->hash));
	mem_wipe(&again, sizeof(again));
	return same;
}

bool scram_auth_message(struct buf *out, struct str client_first_bare, struct str server_first, struct str client_final_without_proof)
{
	return buf_append_str(out, client_first_bare) && buf_append_char(out, ',') && buf_append_str(out, server_first) &&
	       buf_append_char(out, ',') && buf_append_str(out, client_final_without_proof);
}

/* c= is base64 of the gs2 header as it was first sent and, with p=, of the channel's data (RFC 5802 section 6). */
static bool binding_matches(const struct scram_exchange *x, struct str cbind)
{
	struct buf expected = { .max = SCRAM_MESSAGE_MAX }, text = { .max = (size_t)2 * SCRAM_MESSAGE_MAX };
	bool same = buf_append_str(&expected, x->gs2_header) && buf_append_str(&expected, x->cbind_data) &&
	            base64_append(&text, buf_str(&expected)) && secret_equal_str(buf_str(&text), cbind);

	buf_fini(&expected);
	buf_fini(&text);
	return same;
}

/* H(proof XOR HMAC(StoredKey, AuthMessage)) must be StoredKey. */
static bool proof_matches(const struct scram_keys *keys, struct str auth_message, const struct scram_client_final *final)
{
	size_t n = digest_size(keys->hash);
	uint8_t client_key[DIGEST_MAX], stored_key[DIGEST_MAX];
	bool same;

	digest_hmac(keys->hash, str_make(keys->stored_key, n), auth_message, client_key);
	for (size_t i = 0; i < n; i++)
		client_key[i] ^= final->proof[i];
	digest_hash(keys->hash, str_make(client_key, n), stored_key);
	same = secret_equal(stored_key, keys->stored_key, n);
	mem_wipe(client_key, sizeof(client_key));
	return same;
}

enum scram_verdict scram_finish(const struct scram_exchange *x, const struct scram_keys *keys, struct str client_final, struct buf *out)
{
	size_t n = digest_size(keys->hash);
	struct scram_client_final final;
	struct buf auth_message = { .max = (size_t)4 * SCRAM_MESSAGE_MAX };
	enum scram_verdict verdict = SCRAM_WRONG_PROOF;
	uint8_t signature[DIGEST_MAX];

	if (!scram_parse_client_final(client_final, &final) || final.proof_n != n)
		return SCRAM_MALFORMED;
	if (!secret_equal_str(final.nonce, x->nonce))
		return SCRAM_WRONG_NONCE;
	if (!binding_matches(x, final.cbind))
		return SCRAM_WRONG_BINDING;
	if (scram_auth_message(&auth_message, x->client_first_bare, x->server_first, final.without_proof) &&
	    proof_matches(keys, buf_str(&auth_message), &final)) {
		digest_hmac(keys->hash, str_make(keys->server_key, n), buf_str(&auth_message), signature);
		if (buf_append_cstr(out, "v=") && base64_append(out, str_make(signature, n)))
			verdict = SCRAM_OK;
	}
	buf_fini(&auth_message);
	return verdict;
}
