/* SPDX-License-Identifier: Apache-2.0
 *
 * socks5: the server's half of a SOCKS5 handshake (RFC 1928 sections 3, 4, 6) as XEP-0065 section 10.2 narrows it: no authentication, CONNECT alone, and the
 * destination is a hash, not a place. Bytes in, bytes out; no I/O.
 *
 *   on bytes:  used = socks5_feed(&s, p, n, &verdict)
 *   SOCKS5_ANSWER, SOCKS5_REFUSE: out holds what to write
 *   SOCKS5_REQUEST: dst is known; socks5_reply() makes what to write */
#ifndef PROXY65_SOCKS5_H
#define PROXY65_SOCKS5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOCKS5_DST         40                /* hexadecimal digits of a SHA-1 */
#define SOCKS5_MESSAGE_MAX (4 + 1 + 255 + 2) /* the longest request or reply */

enum socks5_verdict {
	SOCKS5_MORE,    /* bytes are needed */
	SOCKS5_ANSWER,  /* write out, then feed again */
	SOCKS5_REQUEST, /* asks for dst; nothing more is read */
	SOCKS5_REFUSE,  /* write out, if there is anything, and close */
};

/* RFC 1928 section 6 */
enum socks5_code {
	SOCKS5_SUCCEEDED = 0,
	SOCKS5_FAILURE = 1,
	SOCKS5_NOT_ALLOWED = 2,
	SOCKS5_BAD_COMMAND = 7,
	SOCKS5_BAD_ADDRESS = 8,
};

/* Zeroed: the beginning. Plain data. */
struct socks5 {
	bool greeted;
	uint8_t in[SOCKS5_MESSAGE_MAX];
	size_t in_n;
	uint8_t out[SOCKS5_MESSAGE_MAX];
	size_t out_n;
	char dst[SOCKS5_DST + 1]; /* lower case; "" before SOCKS5_REQUEST */
	const char *why;          /* of a refusal, for a person */
};

/* Returns how many of the bytes were used. */
size_t socks5_feed(struct socks5 *s, const uint8_t *p, size_t n, enum socks5_verdict *out_verdict);
/* After SOCKS5_REQUEST: puts the reply into out. XEP-0065 section 6.3.2: BND.ADDR and BND.PORT are what the client sent. */
void socks5_reply(struct socks5 *s, enum socks5_code code);

#endif
