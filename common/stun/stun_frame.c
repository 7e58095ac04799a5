/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stun/stun_frame.h"

#include "common/stun/stun_bytes.h"

enum stun_frame_result stun_frame_next(const void *bytes, size_t n, size_t max, struct stun_frame *out)
{
	const uint8_t *p = bytes;
	size_t length;

	*out = (struct stun_frame){ .kind = STUN_KIND_OTHER };
	if (n == 0)
		return STUN_FRAME_MORE;
	out->kind = stun_kind(p[0]);
	if (out->kind == STUN_KIND_OTHER)
		return STUN_FRAME_BAD;
	if (n < 4)
		return STUN_FRAME_MORE;
	length = stun_get16(p + 2);
	if (out->kind == STUN_KIND_MESSAGE && length % 4 != 0)
		return STUN_FRAME_BAD;
	out->size = out->kind == STUN_KIND_MESSAGE ? STUN_HEADER_SIZE + length : STUN_CHANNEL_SIZE + stun_padded(length);
	if (out->size > max)
		return STUN_FRAME_BAD;
	if (n < out->size)
		return STUN_FRAME_MORE;
	out->channel = stun_get16(p);
	out->body = out->kind == STUN_KIND_MESSAGE ? str_make(p, out->size) : str_make(p + STUN_CHANNEL_SIZE, length);
	return STUN_FRAME_WHOLE;
}

bool stun_channel_read(struct str datagram, uint16_t *out_channel, struct str *out_data)
{
	const uint8_t *p = (const uint8_t *)datagram.p;
	size_t n;

	if (datagram.n < STUN_CHANNEL_SIZE)
		return false;
	*out_channel = stun_get16(p);
	n = stun_get16(p + 2);
	if (n > datagram.n - STUN_CHANNEL_SIZE || stun_kind(p[0]) != STUN_KIND_CHANNEL)
		return false;
	*out_data = str_make(p + STUN_CHANNEL_SIZE, n);
	return true;
}
