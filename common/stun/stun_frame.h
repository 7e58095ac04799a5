/* SPDX-License-Identifier: Apache-2.0
 *
 * stun_frame: where messages end in a stream (RFC 8489 section 6.2.2, RFC 8656 section 12.5), and ChannelData, in a stream and in a datagram. */
#ifndef COMMON_STUN_STUN_FRAME_H
#define COMMON_STUN_STUN_FRAME_H

#include "common/stun/stun_message.h"

enum stun_frame_result {
	STUN_FRAME_MORE, /* not all of it is there */
	STUN_FRAME_WHOLE,
	STUN_FRAME_BAD, /* neither a message nor ChannelData, or longer than allowed: nothing after it can be found */
};

struct stun_frame {
	enum stun_kind kind;
	size_t size; /* of the frame, with padding; known from the first four bytes on, 0 before */
	uint16_t channel;
	struct str body; /* STUN_KIND_MESSAGE: all of it; _CHANNEL: the data. Only when whole */
};

/* The first frame of n bytes in a stream. max: bytes of a frame. */
enum stun_frame_result stun_frame_next(const void *p, size_t n, size_t max, struct stun_frame *out);

/* ChannelData in a datagram, padded or not. False: shorter than it says, or no channel. */
bool stun_channel_read(struct str datagram, uint16_t *out_channel, struct str *out_data);
/* Puts the header in front of n bytes that are in memory already. */
static inline uint8_t *stun_channel_in_place(uint8_t *data, size_t n, uint16_t channel)
{
	uint8_t *p = data - STUN_CHANNEL_SIZE;

	p[0] = (uint8_t)(channel >> 8);
	p[1] = (uint8_t)channel;
	p[2] = (uint8_t)(n >> 8);
	p[3] = (uint8_t)n;
	return p;
}

#endif
