/* SPDX-License-Identifier: Apache-2.0
 *
 * stun_writer: a STUN message put together in memory of the caller. What does not fit sets `overflow`; the message is then no message. */
#ifndef COMMON_STUN_STUN_WRITER_H
#define COMMON_STUN_STUN_WRITER_H

#include "common/stun/stun_integrity.h"

struct stun_writer {
	uint8_t *p;
	size_t n, cap;
	bool overflow;
};

/* cap of at least STUN_HEADER_SIZE. The length in the header is right after each call that follows. */
void stun_begin(struct stun_writer *w, void *p, size_t cap, enum stun_class cls, uint16_t method, const uint8_t id[STUN_ID_SIZE]);
void stun_put(struct stun_writer *w, uint16_t type, struct str value);
void stun_put_u32(struct stun_writer *w, uint16_t type, uint32_t value);
void stun_put_address(struct stun_writer *w, uint16_t type, const struct net_addr *a);     /* as MAPPED-ADDRESS */
void stun_put_xor_address(struct stun_writer *w, uint16_t type, const struct net_addr *a); /* as XOR-MAPPED-ADDRESS */
/* Without a reason phrase, which would only make an answer longer. */
void stun_put_error(struct stun_writer *w, uint16_t code);
void stun_put_address_error(struct stun_writer *w, uint8_t family, uint16_t code);
void stun_put_unknown(struct stun_writer *w, const uint16_t *types, size_t count);
/* Last, but for the fingerprint. */
void stun_sign(struct stun_writer *w, const struct stun_key *key, bool sha256);
void stun_put_fingerprint(struct stun_writer *w);

/* The type field of a header. */
uint16_t stun_type_field(enum stun_class cls, uint16_t method);

#define STUN_DATA_HEADER_V4 36u
#define STUN_DATA_HEADER_V6 48u
/* A Data indication put in front of n bytes that are in memory already, with room for the header before and three bytes of padding behind them: data in place
 * (RFC 8656 section 11.3). Returns where it begins; *out_n its size. */
uint8_t *stun_data_in_place(uint8_t *data, size_t n, const struct net_addr *peer, const uint8_t id[STUN_ID_SIZE], size_t *out_n);

#endif
