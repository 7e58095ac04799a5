/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/public.h"

#include <string.h>

#include "common/net/cidr.h"

#define V4(a, b, c, d, n)                                                                                                                  \
	{                                                                                                                                  \
		{ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d }, 96 + (n)                                                         \
	}
#define V6(a, b, c, d, e, f, n)                                                                                                            \
	{                                                                                                                                  \
		{                                                                                                                          \
			(a) >> 8, (a)&0xff, (b) >> 8, (b)&0xff, (c) >> 8, (c)&0xff,                                                        \
			(d) >> 8, (d)&0xff, (e) >> 8, (e)&0xff, (f) >> 8, (f)&0xff                                                         \
		},                                                                                                                         \
		        n                                                                                                                  \
	}

static const struct cidr v4_special[] = {
	V4(0, 0, 0, 0, 8),       /* this host, this network (RFC 1122 section 3.2.1.3); Linux takes 0.0.0.0 for itself */
	V4(10, 0, 0, 0, 8),      /* private (RFC 1918) */
	V4(100, 64, 0, 0, 10),   /* of a provider's translators (RFC 6598) */
	V4(127, 0, 0, 0, 8),     /* loopback (RFC 1122) */
	V4(169, 254, 0, 0, 16),  /* link-local (RFC 3927); also where clouds have what they tell their machines */
	V4(172, 16, 0, 0, 12),   /* private */
	V4(192, 0, 0, 0, 24),    /* protocol assignments (RFC 6890) */
	V4(192, 0, 2, 0, 24),    /* documentation (RFC 5737) */
	V4(192, 88, 99, 0, 24),  /* 6to4 relays, given up (RFC 7526) */
	V4(192, 168, 0, 0, 16),  /* private */
	V4(198, 18, 0, 0, 15),   /* benchmarks (RFC 2544) */
	V4(198, 51, 100, 0, 24), /* documentation */
	V4(203, 0, 113, 0, 24),  /* documentation */
	V4(224, 0, 0, 0, 4),     /* multicast (RFC 5771) */
	V4(240, 0, 0, 0, 4),     /* reserved (RFC 1112 section 4), and broadcast */
};

/* Global unicast is 2000::/3 (RFC 4291 section 2.4, IANA). Outside are :: and ::1, IPv4-compatible addresses, 64:ff9b:1::/48 (local translators, RFC 8215),
 * fc00::/7 (RFC 4193), fe80::/10, fec0::/10 (RFC 3879), ff00::/8. */
static const struct cidr v6_global = V6(0x2000, 0, 0, 0, 0, 0, 3);
static const struct cidr v6_special[] = {
	V6(0x2001, 0, 0, 0, 0, 0, 23), /* protocol assignments (RFC 2928): Teredo (RFC 4380), benchmarks (RFC 5180), ORCHID (RFC 7343) */
	V6(0x2001, 0xdb8, 0, 0, 0, 0, 32), /* documentation (RFC 3849) */
	V6(0x3fff, 0, 0, 0, 0, 0, 20),     /* documentation (RFC 9637) */
};
static const struct cidr nat64 = V6(0x64, 0xff9b, 0, 0, 0, 0, 96);
static const struct cidr sixtofour = V6(0x2002, 0, 0, 0, 0, 0, 16);

static bool in_any(const struct cidr *list, size_t n, const struct net_addr *a)
{
	for (size_t i = 0; i < n; i++) {
		if (cidr_has(&list[i], a))
			return true;
	}
	return false;
}

struct net_addr net_addr_inner(const struct net_addr *a)
{
	struct net_addr v4 = { .ip = { [10] = 0xff, [11] = 0xff }, .port = a->port };

	if (cidr_has(&nat64, a))
		memcpy(v4.ip + 12, a->ip + 12, 4);
	else if (cidr_has(&sixtofour, a))
		memcpy(v4.ip + 12, a->ip + 2, 4);
	else
		return *a;
	return v4;
}

bool net_addr_is_public(const struct net_addr *a)
{
	struct net_addr inner = net_addr_inner(a);

	if (net_addr_is_v4(&inner))
		return !in_any(v4_special, sizeof(v4_special) / sizeof(*v4_special), &inner);
	return cidr_has(&v6_global, &inner) && !in_any(v6_special, sizeof(v6_special) / sizeof(*v6_special), &inner);
}
