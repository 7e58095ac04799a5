/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stun/peer_policy.h"

#include "common/net/public.h"

#define V4_OFFSET 96u
#define V4_BITS   8u /* the widest network that may be allowed: all of 10.0.0.0/8 */
#define V6_BITS   7u /* fc00::/7 */
#define V6_TEREDO                                                                                                                          \
	{                                                                                                                                  \
		0x20, 0x01                                                                                                                 \
	}
#define V6_LINKED                                                                                                                          \
	{                                                                                                                                  \
		0x00, 0x64, 0xff, 0x9b, 0x00, 0x01                                                                                         \
	}

static const struct cidr v4_none = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff }, 104 }; /* 0.0.0.0/8 */
static const struct cidr v4_many = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 224 },
	                             99 };                                                 /* 224.0.0.0/3: multicast, reserved, broadcast */
static const struct cidr v6_many = { { 0xff }, 8 };                                        /* ff00::/8 */
static const struct cidr v6_compatible = { { 0 }, 96 };                                    /* ::/96 (RFC 4291 section 2.5.5.1) */
static const struct cidr v6_mapped = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff }, 96 }; /* ::ffff:0:0/96 */
static const struct cidr v6_translated = { { 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff }, 96 };   /* ::ffff:0:0:0/96 (RFC 2765) */
static const struct cidr v6_teredo = { V6_TEREDO, 32 };                                    /* 2001::/32 (RFC 4380) */
static const struct cidr v6_local_nat64 = { V6_LINKED, 48 };                               /* 64:ff9b:1::/48 (RFC 8215) */

static const char *const names[PEER_VERDICTS] = {
	[PEER_ALLOWED] = "allowed", [PEER_NO_ADDRESS] = "no_address", [PEER_DISGUISED] = "disguised", [PEER_UNSPECIFIED] = "unspecified",
	[PEER_OWN] = "own",         [PEER_DENIED] = "denied",         [PEER_PRIVATE] = "private",
};

const char *peer_verdict_name(enum peer_verdict v)
{
	return names[v];
}

static bool in_any(const struct cidr *list, size_t n, const struct net_addr *a)
{
	for (size_t i = 0; i < n; i++) {
		if (cidr_has(&list[i], a))
			return true;
	}
	return false;
}

static bool same_ip(const struct net_addr *a, const struct net_addr *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

static bool is_loopback_v6(const struct net_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return memcmp(a->ip, one, sizeof(one)) == 0;
}

static bool is_unspecified(const struct net_addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->ip, zero, sizeof(zero)) == 0 || cidr_has(&v4_none, a) || cidr_has(&v4_many, a) || cidr_has(&v6_many, a);
}

/* ::1 is within the compatible ones, and is itself. */
static bool is_disguised(const struct stun_address *peer)
{
	const struct net_addr *a = &peer->addr;
	struct net_addr inner = net_addr_inner(a);

	if (peer->family == STUN_FAMILY_V4)
		return false;
	return !same_ip(&inner, a) || cidr_has(&v6_mapped, a) || cidr_has(&v6_translated, a) || cidr_has(&v6_teredo, a) ||
	       cidr_has(&v6_local_nat64, a) || (cidr_has(&v6_compatible, a) && !is_loopback_v6(a));
}

static bool is_own_port(const struct peer_policy *p, const struct net_addr *a)
{
	for (size_t i = 0; i < p->own_count; i++) {
		if (p->own[i].port == a->port && same_ip(&p->own[i], a))
			return true;
	}
	return false;
}

static bool is_among(const struct net_addr *list, size_t n, const struct net_addr *a)
{
	for (size_t i = 0; i < n; i++) {
		if (same_ip(&list[i], a))
			return true;
	}
	return false;
}

enum peer_verdict peer_policy_check(const struct peer_policy *p, const struct stun_address *peer, bool with_port)
{
	const struct net_addr *a = &peer->addr;

	if (peer->family != STUN_FAMILY_V4 && peer->family != STUN_FAMILY_V6)
		return PEER_NO_ADDRESS;
	if (is_unspecified(a) || (with_port && a->port == 0))
		return PEER_UNSPECIFIED;
	if (is_disguised(peer))
		return PEER_DISGUISED;
	if (with_port && is_own_port(p, a))
		return PEER_OWN;
	if (in_any(p->allow, p->allow_count, a))
		return PEER_ALLOWED;
	if (in_any(p->deny, p->deny_count, a))
		return PEER_DENIED;
	/* A permission for our own address is one for those who have a relayed address there. */
	if (is_among(p->relays, p->relay_count, a))
		return !with_port || (p->is_relayed && p->is_relayed(a, p->ctx)) ? PEER_ALLOWED : PEER_OWN;
	if (is_among(p->machine, p->machine_count, a))
		return PEER_OWN;
	return net_addr_is_public(a) ? PEER_ALLOWED : PEER_PRIVATE;
}

int peer_policy_check_allow(const struct cidr *c, struct err *e)
{
	struct stun_address first = { .addr = { .port = 1 }, .family = STUN_FAMILY_V6 };

	memcpy(first.addr.ip, c->ip, sizeof(c->ip));
	if (net_addr_is_v4(&first.addr) && c->bits >= V4_OFFSET) {
		first.family = STUN_FAMILY_V4;
		if (c->bits < V4_OFFSET + V4_BITS)
			return err_set(e, "a network wider than /%u cannot be allowed", V4_BITS);
	} else if (c->bits < V6_BITS) {
		return err_set(e, "a network wider than /%u cannot be allowed", V6_BITS);
	}
	if (is_unspecified(&first.addr) || is_disguised(&first))
		return err_set(e, "no peer can be in it");
	return 0;
}
