/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/cidr.h"

#include <stdio.h>
#include <string.h>

#define V4_OFFSET 96u /* bits of ::ffff:0:0/96 */

/* The number behind the slash; -1: not one, or above max. */
static int bits_of(const char *text, int max)
{
	int n = 0;

	if (text[0] == '\0' || strlen(text) > 3 || (text[0] == '0' && text[1] != '\0'))
		return -1;
	for (const char *c = text; *c; c++) {
		if (*c < '0' || *c > '9')
			return -1;
		n = n * 10 + (*c - '0');
	}
	return n <= max ? n : -1;
}

/* Is every bit from `bits` on zero? */
static bool is_network(const struct cidr *c)
{
	for (unsigned i = c->bits; i < 128; i++) {
		if (c->ip[i / 8] & (0x80u >> i % 8))
			return false;
	}
	return true;
}

int cidr_parse(const char *text, struct cidr *out, struct err *e)
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	char address[NET_ADDR_TEXT_MAX];
	struct sockaddr_storage sa;
	struct net_addr a;
	socklen_t sa_n;
	int max, bits;

	if (n >= sizeof(address))
		return err_set(e, "%s: not a numeric IPv4 or IPv6 address", text);
	memcpy(address, text, n);
	address[n] = '\0';
	if (net_addr_parse(address, 0, &sa, &sa_n, e) < 0)
		return -1;
	net_addr_from((struct sockaddr *)&sa, &a);
	max = sa.ss_family == AF_INET ? 32 : 128;
	bits = slash ? bits_of(slash + 1, max) : max;
	if (bits < 0)
		return err_set(e, "%s: the prefix is a number up to %d", text, max);
	memcpy(out->ip, a.ip, sizeof(out->ip));
	out->bits = (uint8_t)(max == 32 ? bits + (int)V4_OFFSET : bits);
	if (!is_network(out))
		return err_set(e, "%s: bits are set behind the prefix", text);
	return 0;
}

bool cidr_has(const struct cidr *c, const struct net_addr *a)
{
	unsigned whole = c->bits / 8, rest = c->bits % 8;

	if (memcmp(c->ip, a->ip, whole) != 0)
		return false;
	return rest == 0 || ((c->ip[whole] ^ a->ip[whole]) & (0xff00u >> rest) & 0xffu) == 0;
}
