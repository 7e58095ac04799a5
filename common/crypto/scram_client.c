/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/scram_client.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/crypto/base64.h"
#include "common/crypto/scram.h"
#include "common/crypto/secret.h"

struct scram_client {
	enum digest hash;
	char *password;
	size_t password_n;
	struct buf first, gs2_header, cbind, nonce, final;
	uint8_t signature[DIGEST_MAX]; /* expected of the server */
	bool answered;
};

static void write_first(struct scram_client *c, const struct scram_client_config *config)
{
	static const char *const flags[] = { [SCRAM_CBIND_NONE] = "n", [SCRAM_CBIND_UNOFFERED] = "y", [SCRAM_CBIND_USED] = "p=" };

	buf_append_cstr(&c->gs2_header, flags[config->cbind]);
	if (config->cbind == SCRAM_CBIND_USED)
		buf_append_str(&c->gs2_header, config->cbind_type);
	buf_append_char(&c->gs2_header, ',');
	if (config->authzid.n) {
		buf_append_cstr(&c->gs2_header, "a=");
		scram_escape(&c->gs2_header, config->authzid);
	}
	buf_append_char(&c->gs2_header, ',');
	buf_append_str(&c->first, buf_str(&c->gs2_header));
	buf_append_cstr(&c->first, "n=");
	scram_escape(&c->first, config->username);
	buf_append_cstr(&c->first, ",r=");
	buf_append_str(&c->first, buf_str(&c->nonce));
	buf_append_str(&c->cbind, buf_str(&c->gs2_header));
	if (config->cbind == SCRAM_CBIND_USED)
		buf_append_str(&c->cbind, config->cbind_data);
}

struct scram_client *scram_client_new(const struct scram_client_config *config)
{
	struct scram_client *c = mem_new(struct scram_client);
	char nonce[33];

	c->hash = config->hash;
	c->password = mem_strndup(config->password.p, config->password.n);
	c->password_n = config->password.n;
	random_token(nonce, sizeof(nonce) - 1);
	buf_append_str(&c->nonce, config->nonce.n ? config->nonce : str_from(nonce));
	write_first(c, config);
	return c;
}

void scram_client_free(struct scram_client **c)
{
	if (!*c)
		return;
	mem_free_secret((*c)->password, (*c)->password_n);
	buf_fini(&(*c)->first);
	buf_fini(&(*c)->gs2_header);
	buf_fini(&(*c)->cbind);
	buf_fini(&(*c)->nonce);
	buf_fini(&(*c)->final);
	mem_free_secret(*c, sizeof(**c));
	*c = NULL;
}

struct str scram_client_first(struct scram_client *c)
{
	return buf_str(&c->first);
}

static void sign(struct scram_client *c, const struct scram_server_first *server, struct str auth_message, uint8_t *out_proof)
{
	size_t n = digest_size(c->hash);
	uint8_t salted[DIGEST_MAX], key[DIGEST_MAX], stored[DIGEST_MAX];

	digest_pbkdf2(c->hash, str_make(c->password, c->password_n), str_make(server->salt, server->salt_n), server->iterations, salted);
	digest_hmac(c->hash, str_make(salted, n), STR("Client Key"), key);
	digest_hash(c->hash, str_make(key, n), stored);
	digest_hmac(c->hash, str_make(stored, n), auth_message, out_proof);
	for (size_t i = 0; i < n; i++)
		out_proof[i] ^= key[i];
	digest_hmac(c->hash, str_make(salted, n), STR("Server Key"), key);
	digest_hmac(c->hash, str_make(key, n), auth_message, c->signature);
	mem_wipe(salted, sizeof(salted));
	mem_wipe(key, sizeof(key));
}

bool scram_client_final(struct scram_client *c, struct str server_first, struct str *out)
{
	struct str mine = buf_str(&c->nonce), first = buf_str(&c->first);
	size_t header = buf_str(&c->gs2_header).n;
	struct scram_server_first server;
	struct buf auth_message = { 0 };
	uint8_t proof[DIGEST_MAX];

	if (!scram_parse_server_first(server_first, &server) || server.iterations < SCRAM_ITERATIONS_MIN || server.nonce.n <= mine.n ||
	    memcmp(server.nonce.p, mine.p, mine.n) != 0)
		return false;
	buf_clear(&c->final);
	buf_append_cstr(&c->final, "c=");
	base64_append(&c->final, buf_str(&c->cbind));
	buf_append_cstr(&c->final, ",r=");
	buf_append_str(&c->final, server.nonce);
	scram_auth_message(&auth_message, str_make(first.p + header, first.n - header), server_first, buf_str(&c->final));
	sign(c, &server, buf_str(&auth_message), proof);
	buf_fini(&auth_message);
	buf_append_cstr(&c->final, ",p=");
	base64_append(&c->final, str_make(proof, digest_size(c->hash)));
	c->answered = true;
	*out = buf_str(&c->final);
	return true;
}

bool scram_client_accepts(struct scram_client *c, struct str server_final)
{
	struct scram_server_final server;

	return c->answered && scram_parse_server_final(server_final, &server) && server.error.n == 0 &&
	       server.signature_n == digest_size(c->hash) && secret_equal(server.signature, c->signature, server.signature_n);
}
