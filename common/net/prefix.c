/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/prefix.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 64u

static int parse_bits(const char *text, unsigned most, unsigned *out)
{
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 3 || text[n])
		return -1;
	*out = (unsigned)strtoul(text, NULL, 10);
	return *out <= most ? 0 : -1;
}

static bool zero_behind(const struct net_prefix *p)
{
	for (unsigned i = p->bits; i < 128; i++) {
		if (p->ip[i / 8] & 0x80 >> i % 8)
			return false;
	}
	return true;
}

int net_prefix_parse(const char *text, struct net_prefix *out, struct err *e)
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	struct sockaddr_storage sa;
	struct net_addr addr;
	char address[TEXT_MAX];
	unsigned most, bits;
	socklen_t sa_len;

	if (n >= sizeof(address))
		return err_set(e, "%s: not a network", text);
	memcpy(address, text, n);
	address[n] = '\0';
	if (net_addr_parse(address, 0, &sa, &sa_len, e) != 0)
		return -1;
	net_addr_from((struct sockaddr *)&sa, &addr);
	most = bits = sa.ss_family == AF_INET ? 32 : 128;
	if (slash && parse_bits(slash + 1, most, &bits) != 0)
		return err_set(e, "%s: a number from 0 to %u is wanted behind the slash", text, most);
	memcpy(out->ip, addr.ip, sizeof(out->ip));
	out->bits = (uint8_t)(bits + 128 - most);
	if (!zero_behind(out))
		return err_set(e, "%s: the address has bits behind the first %u", text, bits);
	return 0;
}

bool net_prefix_has(const struct net_prefix *p, const struct net_addr *a)
{
	unsigned whole = p->bits / 8, rest = p->bits % 8;

	return memcmp(p->ip, a->ip, whole) == 0 && (rest == 0 || (p->ip[whole] ^ a->ip[whole]) >> (8 - rest) == 0);
}
