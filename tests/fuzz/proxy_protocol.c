/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: the PROXY header. The first byte says where the rest is cut, and with its highest bit that a header of version 2 has its checksum put right, which no
 * fuzzer would find. Properties: verdict and bytes used do not depend on the cut; a header is never longer than allowed; what it says lies within it; what it
 * tells, written as version 1, is told again. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/net/proxy_protocol_v2.h"
#include "common/text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static enum proxy_verdict feed(struct proxy_reader *r, const uint8_t *in, size_t n, size_t piece, size_t *out_used)
{
	enum proxy_verdict verdict = PROXY_MORE;
	size_t at = 0;

	*r = (struct proxy_reader){ 0 };
	while (at < n && verdict == PROXY_MORE) {
		size_t now = piece < n - at ? piece : n - at;
		uint8_t *copy = mem_memdup(in + at, now);

		at += proxy_reader_feed(r, copy, now, &verdict);
		mem_free(copy);
	}
	*out_used = at;
	require(r->n == at && r->n <= PROXY_HEADER_MAX && (verdict != PROXY_BAD || r->why));
	return verdict;
}

static void inside(const struct proxy_reader *r, struct str s)
{
	require(!s.p || (s.p >= (char *)r->p && s.p + s.n <= (char *)r->p + r->n));
}

static void check_again(const struct proxy_header *h)
{
	char source[NET_ADDR_TEXT_MAX], destination[NET_ADDR_TEXT_MAX], line[200];
	bool v4 = net_addr_is_v4(&h->source);
	struct proxy_header again;
	struct proxy_reader r;
	size_t used;
	int n;

	/* Version 1 has one family for both. */
	if (v4 != net_addr_is_v4(&h->destination))
		return;
	n = snprintf(line, sizeof(line), "PROXY TCP%d %s %s %u %u\r\n", v4 ? 4 : 6, net_addr_text(&h->source, source),
	             net_addr_text(&h->destination, destination), h->source.port, h->destination.port);
	require(feed(&r, (uint8_t *)line, (size_t)n, 1, &used) == PROXY_DONE && used == (size_t)n && proxy_reader_parse(&r, &again));
	require(again.told && memcmp(again.source.ip, h->source.ip, 16) == 0 && again.source.port == h->source.port);
	require(memcmp(again.destination.ip, h->destination.ip, 16) == 0 && again.destination.port == h->destination.port);
	proxy_reader_fini(&r);
}

static void check(struct proxy_reader *r)
{
	struct proxy_header h;

	if (!proxy_reader_parse(r, &h)) {
		require(r->why);
		return;
	}
	inside(r, h.authority);
	inside(r, h.alpn);
	inside(r, h.unique_id);
	inside(r, h.client_cn);
	inside(r, h.tls_version);
	require(utf8_valid(h.authority) && utf8_valid(h.client_cn) && (h.tls || !h.client_verified));
	if (h.told)
		check_again(&h);
}

/* The last TLV of a header, when it is a checksum, is made true. */
static void mend(uint8_t *p, size_t n)
{
	size_t size = n < PROXY_V2_FIXED ? 0 : PROXY_V2_FIXED + ((size_t)p[14] << 8 | p[15]);
	uint32_t sum;

	if (size < PROXY_V2_FIXED + 7 || size > n || memcmp(p + size - 7, "\x03\x00\x04", 3) != 0)
		return;
	memset(p + size - 4, 0, 4);
	sum = proxy_crc32c(p, size);
	for (int i = 0; i < 4; i++)
		p[size - 4 + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_reader whole, pieces;
	enum proxy_verdict verdict;
	size_t used, again;
	uint8_t *in;

	if (size < 2)
		return 0;
	in = mem_memdup(data + 1, size - 1);
	if (data[0] & 0x80)
		mend(in, size - 1);
	verdict = feed(&whole, in, size - 1, size - 1, &used);
	require(feed(&pieces, in, size - 1, 1 + (data[0] & 0x7f), &again) == verdict && again == used);
	if (verdict == PROXY_DONE)
		check(&whole);
	proxy_reader_fini(&whole);
	proxy_reader_fini(&pieces);
	mem_free(in);
	return 0;
}
