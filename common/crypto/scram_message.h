/* SPDX-License-Identifier: Apache-2.0
 *
 * scram_message: the grammar of SCRAM's messages (RFC 5802 section 7), read strictly: what the ABNF does not allow, or passes a limit below,
 * does not parse. Views point into the message. No cryptography here; that is scram.h. */
#ifndef COMMON_CRYPTO_SCRAM_MESSAGE_H
#define COMMON_CRYPTO_SCRAM_MESSAGE_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/str.h"
#include "common/crypto/digest.h"

#define SCRAM_MESSAGE_MAX    8192 /* bytes of one message */
#define SCRAM_NONCE_MAX      512  /* of both halves together; a client's half may have half of it */
#define SCRAM_SALT_MAX       64
#define SCRAM_ITERATIONS_MIN 4096     /* RFC 7677 section 4 */
#define SCRAM_ITERATIONS_MAX 10000000 /* more only keeps a machine busy */

enum scram_cbind {
	SCRAM_CBIND_NONE,      /* n: the client knows no channel binding */
	SCRAM_CBIND_UNOFFERED, /* y: it does, and believes that the server does not */
	SCRAM_CBIND_USED,      /* p=type */
};

struct scram_client_first {
	enum scram_cbind cbind;
	struct str cbind_type; /* with p= */
	struct str authzid;    /* still escaped, see scram_unescape; empty: none */
	struct str username;   /* still escaped */
	struct str nonce;
	struct str gs2_header; /* up to and with the second comma */
	struct str bare;       /* the rest, which is signed */
};
bool scram_parse_client_first(struct str message, struct scram_client_first *out);

struct scram_client_final {
	struct str cbind; /* base64 */
	struct str nonce;
	struct str without_proof; /* what is signed */
	uint8_t proof[DIGEST_MAX];
	size_t proof_n;
};
bool scram_parse_client_final(struct str message, struct scram_client_final *out);

struct scram_server_first {
	struct str nonce;
	uint8_t salt[SCRAM_SALT_MAX];
	size_t salt_n;
	uint32_t iterations;
};
bool scram_parse_server_first(struct str message, struct scram_server_first *out);

struct scram_server_final {
	struct str error; /* such as other-error; empty: success */
	uint8_t signature[DIGEST_MAX];
	size_t signature_n;
};
bool scram_parse_server_final(struct str message, struct scram_server_final *out);

/* r=<client><server>,s=<salt>,i=<n> */
bool scram_write_server_first(struct buf *out, struct str client_nonce, struct str server_nonce, struct str salt, uint32_t iterations);

/* saslname: =2C is a comma, =3D an equals sign. out holds in.n bytes at least; false when something else follows "=". */
bool scram_unescape(struct str in, char *out, size_t *out_n);
bool scram_escape(struct buf *out, struct str in);

#endif
