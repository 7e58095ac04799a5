/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket_for_test: the client's side, for tests: masked frames, headers as wrong as a test wants them, and a reader of our frames. */
#ifndef COMMON_NET_WEBSOCKET_FOR_TEST_H
#define COMMON_NET_WEBSOCKET_FOR_TEST_H

#include "common/net/websocket.h"

static const uint8_t test_mask[4] = { 0x37, 0xfa, 0x21, 0x3d }; /* of RFC 6455 section 5.7 */

/* first: FIN, reserved bits and opcode. */
static inline void test_frame(struct buf *out, uint8_t first, struct str payload)
{
	uint8_t bytes = payload.n <= 125 ? 0 : payload.n <= 0xffff ? 2 : 8;
	size_t at;

	buf_append_char(out, (char)first);
	buf_append_char(out, (char)(0x80u | (bytes == 0 ? payload.n : bytes == 2 ? 126u : 127u)));
	for (uint8_t i = 0; i < bytes; i++)
		buf_append_char(out, (char)((uint64_t)payload.n >> 8 * (bytes - 1 - i)));
	buf_append(out, test_mask, 4);
	at = out->n;
	buf_append_str(out, payload);
	/* Byte for byte as section 5.3 writes it, unlike ours. */
	for (size_t i = 0; i < payload.n; i++)
		out->p[at + i] = (char)((uint8_t)out->p[at + i] ^ test_mask[i % 4]);
}

/* The frame at the beginning of `in`, which is moved behind it: its first byte, or -1 when it is not whole, or is masked. */
static inline int test_read_frame(struct str *in, struct str *out_payload)
{
	const uint8_t *p = (const uint8_t *)in->p;
	size_t bytes = in->n < 2 ? 0 : p[1] == 126 ? 2 : p[1] == 127 ? 8 : 0, n;

	if (in->n < 2 + bytes || p[1] & 0x80)
		return -1;
	n = bytes ? 0 : p[1];
	for (size_t i = 0; i < bytes; i++)
		n = n << 8 | p[2 + i];
	if (in->n - 2 - bytes < n)
		return -1;
	*out_payload = str_make(in->p + 2 + bytes, n);
	*in = str_make(in->p + 2 + bytes + n, in->n - 2 - bytes - n);
	return p[0];
}

#endif
