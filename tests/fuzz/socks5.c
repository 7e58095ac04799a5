/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: the SOCKS5 handshake of proxy65. The first byte says in how big pieces the rest comes. Properties: verdicts, answers and bytes used do not depend on the
 * pieces; nothing is longer than a message may be; a request is a hash; its reply repeats it. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "services/proxy65/socks5.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

struct run {
	struct socks5 s;
	enum socks5_verdict verdict;
	size_t used;
	uint8_t answers[4 * SOCKS5_MESSAGE_MAX];
	size_t answers_n;
};

static void keep(struct run *r)
{
	require(r->s.out_n <= SOCKS5_MESSAGE_MAX && r->answers_n + r->s.out_n <= sizeof(r->answers));
	memcpy(r->answers + r->answers_n, r->s.out, r->s.out_n);
	r->answers_n += r->s.out_n;
}

static void feed(struct run *r, const uint8_t *in, size_t n, size_t piece)
{
	memset(r, 0, sizeof(*r));
	while (r->used < n && (r->verdict == SOCKS5_MORE || r->verdict == SOCKS5_ANSWER)) {
		size_t now = piece < n - r->used ? piece : n - r->used, used;
		uint8_t *copy = mem_memdup(in + r->used, now);

		used = socks5_feed(&r->s, copy, now, &r->verdict);
		mem_free(copy);
		require(used > 0 && used <= now && r->s.in_n <= SOCKS5_MESSAGE_MAX);
		require(r->verdict != SOCKS5_MORE || (used == now && r->s.out_n == 0));
		r->used += used;
		keep(r);
	}
}

static void check_request(struct run *r)
{
	require(strlen(r->s.dst) == SOCKS5_DST && strspn(r->s.dst, "0123456789abcdef") == SOCKS5_DST);
	socks5_reply(&r->s, SOCKS5_SUCCEEDED);
	require(r->s.out_n == 4 + 1 + SOCKS5_DST + 2 && r->s.out[1] == 0);
	for (size_t i = 0; i < SOCKS5_DST; i++)
		require((r->s.out[5 + i] | 0x20) == (r->s.dst[i] | 0x20));
	keep(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run whole, pieces;

	if (size < 2)
		return 0;
	feed(&whole, data + 1, size - 1, size - 1);
	feed(&pieces, data + 1, size - 1, 1 + (data[0] & 0x0f));
	require(whole.verdict == pieces.verdict && whole.used == pieces.used);
	require(whole.answers_n == pieces.answers_n && memcmp(whole.answers, pieces.answers, whole.answers_n) == 0);
	require(whole.verdict != SOCKS5_REFUSE || whole.s.why);
	if (whole.verdict == SOCKS5_REQUEST)
		check_request(&whole);
	return 0;
}
