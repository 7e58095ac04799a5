/* SPDX-License-Identifier: Apache-2.0
 *
 * scram: what a server computes in SCRAM (RFC 5802, RFC 7677, and the same with SHA-512): keys from a password, and the check of a client's last
 * message against them. Knows no accounts, keeps no state, does no I/O; scram_message.h has the grammar, scram_client.h the other side. */
#ifndef COMMON_CRYPTO_SCRAM_H
#define COMMON_CRYPTO_SCRAM_H

#include "common/crypto/scram_message.h"

/* What is stored instead of a password. Plain data; wipe it after use. */
struct scram_keys {
	enum digest hash;
	uint32_t iterations;
	size_t salt_n;
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t stored_key[DIGEST_MAX];
	uint8_t server_key[DIGEST_MAX];
};

/* password is prepared (PRECIS OpaqueString); salt 1..SCRAM_SALT_MAX bytes. Milliseconds of PBKDF2: for worker threads. */
void scram_derive(enum digest hash, struct str password, struct str salt, uint32_t iterations, struct scram_keys *out);
/* Is this the password? Derives it again with the keys' own salt, so as slow as scram_derive. */
bool scram_password_matches(const struct scram_keys *keys, struct str password);

/* The three signed parts, joined, and what the client's last message must repeat. */
struct scram_exchange {
	struct str gs2_header;
	struct str cbind_data; /* empty unless the header says p= */
	struct str client_first_bare;
	struct str server_first;
	struct str nonce; /* both halves */
};

enum scram_verdict {
	SCRAM_OK,
	SCRAM_MALFORMED,
	SCRAM_WRONG_NONCE,
	SCRAM_WRONG_BINDING, /* the channel is another one, or the header was changed on the way */
	SCRAM_WRONG_PROOF,
};
const char *scram_verdict_name(enum scram_verdict v);

/* Checks client-final; with SCRAM_OK server-final was appended to out. */
enum scram_verdict scram_finish(const struct scram_exchange *x, const struct scram_keys *keys, struct str client_final, struct buf *out);

/* For both sides: AuthMessage of RFC 5802 section 3. */
bool scram_auth_message(struct buf *out, struct str client_first_bare, struct str server_first, struct str client_final_without_proof);

#endif
