/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: STUN and ChannelData in a stream, and ChannelData in a datagram. Properties:
 * - where a frame ends does not depend on how much of the stream is there;
 * - what is whole lies within its bytes; a frame is a multiple of four long;
 * - no frame is longer than allowed;
 * - data comes out of a datagram as it went in. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/stun/stun_frame.h"

#define FRAME_MAX 2048u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* Every part of a frame says the same about its end. */
static void check_parts(const char *p, size_t size)
{
	struct stun_frame f;

	for (size_t n = 0; n < size; n++) {
		require(stun_frame_next(p, n, FRAME_MAX, &f) == STUN_FRAME_MORE);
		require(f.size == (n < 4 ? 0 : size));
	}
}

static void check_stream(const char *p, size_t n)
{
	struct stun_frame f;

	while (stun_frame_next(p, n, FRAME_MAX, &f) == STUN_FRAME_WHOLE) {
		require(f.size % 4 == 0 && f.size >= 4 && f.size <= n && f.size <= FRAME_MAX);
		require(f.body.p >= p && f.body.p + f.body.n <= p + f.size);
		check_parts(p, f.size);
		p += f.size;
		n -= f.size;
	}
}

static void check_datagram(char *p, size_t n)
{
	uint16_t channel, again_channel;
	struct str data, again;

	if (!stun_channel_read(str_make(p, n), &channel, &data))
		return;
	require(channel >= STUN_CHANNEL_FIRST && channel <= 0x7FFF && data.n + STUN_CHANNEL_SIZE <= n);
	require(stun_channel_in_place((uint8_t *)p + STUN_CHANNEL_SIZE, data.n, channel) == (uint8_t *)p);
	require(stun_channel_read(str_make(p, n), &again_channel, &again) && again_channel == channel && str_eq(again, data));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = mem_memdup(data, size);

	check_stream(copy, size);
	check_datagram(copy, size);
	mem_free(copy);
	return 0;
}
