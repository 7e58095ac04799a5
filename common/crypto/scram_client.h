/* SPDX-License-Identifier: Apache-2.0
 *
 * scram_client: the client's side of SCRAM, for tests and tools. Derives keys on the calling thread. */
#ifndef COMMON_CRYPTO_SCRAM_CLIENT_H
#define COMMON_CRYPTO_SCRAM_CLIENT_H

#include "common/crypto/scram_message.h"

struct scram_client;

struct scram_client_config {
	enum digest hash;
	struct str username, password; /* already prepared */
	struct str authzid;            /* empty: none */
	enum scram_cbind cbind;
	struct str cbind_type, cbind_data;
	struct str nonce; /* empty: a random one */
};

struct scram_client *scram_client_new(const struct scram_client_config *config);
void scram_client_free(struct scram_client **c);
/* The messages in their order. Views live until the next call. */
struct str scram_client_first(struct scram_client *c);
/* False: the server's message does not parse, its nonce is not ours, or it wants fewer iterations than RFC 5802 section 5.1 allows. */
bool scram_client_final(struct scram_client *c, struct str server_first, struct str *out);
/* Has the server proved that it knows the keys? */
bool scram_client_accepts(struct scram_client *c, struct str server_final);

#endif
