/* SPDX-License-Identifier: Apache-2.0
 *
 * ticket: what a client shows to have its allocation follow it to another address (RFC 8016 section 3.3): which allocation, and which of its tickets this is. One block of AES-256, since
 * no two tickets say the same, then 8 bytes of an HMAC over it; as base64, because coturn's client takes text of at most 32 characters. A ticket alone is worth nothing: who brings it
 * must be the user whose allocation it is. */
#ifndef TURN_TICKET_H
#define TURN_TICKET_H

#include <stdint.h>

#include "common/base/str.h"

#define TICKET_SIZE     32u
#define TICKET_KEY_SIZE 64u

struct ticket_key {
	uint8_t bytes[TICKET_KEY_SIZE]; /* half the cipher's, half the HMAC's */
};

struct ticket {
	uint64_t serial;     /* of the allocation */
	uint32_t generation; /* of its tickets */
	uint32_t until_s;    /* any clock's that only goes forward */
};

void ticket_make(const struct ticket_key *key, const struct ticket *t, char out[TICKET_SIZE]);
/* False: never made with this key, or too old. */
bool ticket_read(const struct ticket_key *key, struct str text, uint32_t now_s, struct ticket *out);

#endif
