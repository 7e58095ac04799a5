/* SPDX-License-Identifier: Apache-2.0
 *
 * exchange: what a SASL exchange must remember between two steps, as bytes to be sealed. The keys travel too, so that a login reads the store
 * once; nobody but auth can open them, and they are good for a minute. */
#ifndef SERVICES_AUTH_EXCHANGE_H
#define SERVICES_AUTH_EXCHANGE_H

#include "common/crypto/scram.h"

enum exchange_stage {
	EXCHANGE_INVITED = 1, /* the client sent no initial response and was asked for one (RFC 4422 section 5) */
	EXCHANGE_SCRAM = 2,   /* server-first went out */
};

struct exchange {
	enum exchange_stage stage;
	/* EXCHANGE_SCRAM */
	bool decoy; /* no such account, or none with this hash: ends with a refusal whatever the proof */
	struct str account, gs2_header, cbind_type, client_first_bare, server_first;
	struct scram_keys keys; /* hash, stored_key and server_key only */
};

bool exchange_write(struct buf *out, const struct exchange *x);
/* Views point into bytes. */
bool exchange_read(struct str bytes, struct exchange *out);
/* r= of server-first: both halves. */
struct str exchange_nonce(const struct exchange *x);

#endif
