/* SPDX-License-Identifier: Apache-2.0
 *
 * stun_message: a STUN message that came in, looked through once (RFC 8489 sections 5 and 14). Views only: the bytes are the caller's and must outlast it. */
#ifndef COMMON_STUN_STUN_MESSAGE_H
#define COMMON_STUN_STUN_MESSAGE_H

#include <stdbool.h>

#include "common/base/str.h"
#include "common/net/addr.h"
#include "common/stun/stun.h"

/* Attributes that a server reads. */
enum stun_attr {
	STUN_A_CHANGE_REQUEST,
	STUN_A_USERNAME,
	STUN_A_USERHASH,
	STUN_A_REALM,
	STUN_A_NONCE,
	STUN_A_PASSWORD_ALGORITHM,
	STUN_A_PASSWORD_ALGORITHMS,
	STUN_A_INTEGRITY,
	STUN_A_INTEGRITY_SHA256,
	STUN_A_FINGERPRINT,
	STUN_A_CHANNEL_NUMBER,
	STUN_A_LIFETIME,
	STUN_A_XOR_PEER_ADDRESS,
	STUN_A_XOR_MAPPED_ADDRESS,
	STUN_A_DATA,
	STUN_A_REQUESTED_FAMILY,
	STUN_A_ADDITIONAL_FAMILY,
	STUN_A_EVEN_PORT,
	STUN_A_REQUESTED_TRANSPORT,
	STUN_A_DONT_FRAGMENT,
	STUN_A_RESERVATION_TOKEN,
	STUN_A_PADDING,
	STUN_A_RESPONSE_PORT,
	STUN_A_CONNECTION_ID,
	STUN_A_MOBILITY_TICKET,
	STUN_ATTRS
};

#define STUN_ATTRIBUTES_MAX 64u  /* of one message; more is nobody's honest message */
#define STUN_UNKNOWN_MAX    8u   /* listed of those that had to be understood */
#define STUN_NAME_MAX       763u /* USERNAME, REALM and NONCE, bytes (RFC 8489 sections 14.3, 14.9, 14.10) */

struct stun_message {
	struct str bytes;
	const uint8_t *id; /* STUN_ID_SIZE */
	uint16_t method;
	uint8_t cls; /* enum stun_class */
	uint8_t unknown_count;
	uint16_t unknown[STUN_UNKNOWN_MAX]; /* comprehension-required, and not among the above */
	uint32_t has;                       /* bits by enum stun_attr */
	struct str attr[STUN_ATTRS];        /* values of those that it has, without padding: the first of each kind */
};

/* What the first byte says of a datagram, or of what comes next in a stream (RFC 7983). All that RFC 5766 had for channels are still seen as such: that 0x5000 and
 * more cannot be bound any more is for who binds them. */
enum stun_kind { STUN_KIND_MESSAGE, STUN_KIND_CHANNEL, STUN_KIND_OTHER };
enum stun_kind stun_kind(uint8_t first);

/* False when it is none: bad header, cookie or length, an attribute that sticks out or has a length that its type cannot have, too many of them, something
 * behind the FINGERPRINT, or a wrong FINGERPRINT. Attributes behind a MESSAGE-INTEGRITY are ignored as RFC 8489 sections 14.5 and 14.6 say, since nothing
 * protects them. */
bool stun_message_read(struct stun_message *m, struct str bytes);
static inline bool stun_has(const struct stun_message *m, enum stun_attr a)
{
	return (m->has >> a & 1) != 0;
}
/* The value's first two or four bytes; only for those whose length stun_message_read has checked. */
uint16_t stun_u16(const struct stun_message *m, enum stun_attr a);
uint32_t stun_u32(const struct stun_message *m, enum stun_attr a);

/* A transport address as it was written. An IPv4 address in IPv6's clothes (::ffff:0:0/96) stays what it is: `family` is IPv6 then, and net_addr_is_v4(&addr)
 * is true. Who decides about addresses must look (peer_policy.h). */
struct stun_address {
	struct net_addr addr;
	uint8_t family; /* STUN_FAMILY_V4 or _V6 */
};

/* The next XOR-PEER-ADDRESS, from offset *at on (0 to begin). False: no more. */
bool stun_next_peer(const struct stun_message *m, size_t *at, struct stun_address *out);
/* A value with XOR (RFC 8489 section 14.2). False: family or length is wrong. */
bool stun_xor_address_read(struct str value, const uint8_t id[STUN_ID_SIZE], struct stun_address *out);

#endif
