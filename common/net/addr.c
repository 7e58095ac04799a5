/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

void net_addr_from(const struct sockaddr *sa, struct net_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

		memcpy(out->ip, mapped, sizeof(mapped));
		memcpy(out->ip + 12, &in->sin_addr, 4);
		out->port = ntohs(in->sin_port);
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

		memcpy(out->ip, &in6->sin6_addr, 16);
		out->port = ntohs(in6->sin6_port);
	}
}

bool net_addr_is_v4(const struct net_addr *a)
{
	return memcmp(a->ip, mapped, sizeof(mapped)) == 0;
}

void net_addr_to(const struct net_addr *a, struct sockaddr_storage *out, socklen_t *out_len)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (net_addr_is_v4(a)) {
		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, a->ip + 12, 4);
		in->sin_port = htons(a->port);
		*out_len = sizeof(*in);
	} else {
		in6->sin6_family = AF_INET6;
		memcpy(&in6->sin6_addr, a->ip, 16);
		in6->sin6_port = htons(a->port);
		*out_len = sizeof(*in6);
	}
}

const char *net_addr_text(const struct net_addr *a, char *out)
{
	bool v4 = net_addr_is_v4(a);

	if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->ip + 12 : a->ip, out, NET_ADDR_TEXT_MAX))
		out[0] = '\0';
	return out;
}

void net_addr_key(const struct net_addr *a, uint8_t out[16])
{
	memcpy(out, a->ip, 16);
	if (!net_addr_is_v4(a))
		memset(out + 8, 0, 8);
}

int net_addr_parse(const char *text, uint16_t port, struct sockaddr_storage *out, socklen_t *out_len, struct err *e)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		*out_len = sizeof(*in);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		*out_len = sizeof(*in6);
		return 0;
	}
	return err_set(e, "%s: not a numeric IPv4 or IPv6 address", text);
}
