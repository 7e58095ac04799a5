/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/addresses.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static bool same(const struct net_addr *a, const struct net_addr *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

static bool is_loopback(const struct net_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return net_addr_is_v4(a) ? a->ip[12] == 127 : memcmp(a->ip, one, sizeof(one)) == 0;
}

/* fe80::/10: needs a scope, which no peer knows. */
static bool is_link_local(const struct net_addr *a)
{
	return a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

static bool is_wildcard(const struct net_addr *a)
{
	static const uint8_t zero[16];

	return memcmp(net_addr_is_v4(a) ? a->ip + 12 : a->ip, zero, net_addr_is_v4(a) ? 4 : 16) == 0;
}

/* Once each. False: no room. */
static bool add(struct net_addr *list, size_t *count, size_t max, const struct net_addr *a)
{
	for (size_t i = 0; i < *count; i++) {
		if (same(&list[i], a))
			return true;
	}
	if (*count == max)
		return false;
	list[*count] = *a;
	list[(*count)++].port = 0;
	return true;
}

static int parse(const char *text, struct net_addr *out, struct err *e)
{
	struct sockaddr_storage sa;
	socklen_t n;

	if (net_addr_parse(text, 0, &sa, &n, e) != 0)
		return -1;
	net_addr_from((struct sockaddr *)&sa, out);
	return 0;
}

static int find_own(struct turn_addresses *out, struct err *e)
{
	struct ifaddrs *all;

	if (getifaddrs(&all) != 0)
		return err_set(e, "the interfaces' addresses cannot be listed");
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct net_addr a;

		if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6) || !(i->ifa_flags & IFF_UP))
			continue;
		net_addr_from(i->ifa_addr, &a);
		if (!is_link_local(&a))
			add(out->own, &out->own_count, TURN_ADDRESSES_MAX, &a);
	}
	freeifaddrs(all);
	return 0;
}

/* A wildcard is every address of its family. */
static bool add_listen(struct turn_addresses *out, const struct net_addr *a)
{
	bool fits = true;

	if (!is_wildcard(a))
		return add(out->listen, &out->listen_count, TURN_ADDRESSES_MAX, a);
	for (size_t i = 0; i < out->own_count; i++) {
		if (net_addr_is_v4(&out->own[i]) == net_addr_is_v4(a))
			fits = fits && add(out->listen, &out->listen_count, TURN_ADDRESSES_MAX, &out->own[i]);
	}
	return fits;
}

static int find_listen(struct turn_addresses *out, const struct turn_config *c, struct err *e)
{
	struct net_addr a;

	for (size_t i = 0; i < c->addresses.count; i++) {
		if (parse(c->addresses.items[i], &a, e) != 0)
			return -1;
		if (!add_listen(out, &a))
			return err_set(e, "services.turn-relay: more than %u addresses", TURN_ADDRESSES_MAX);
	}
	return out->listen_count ? 0 : err_set(e, "services.turn-relay: there is no address to listen on");
}

/* Loopback only where there is nothing else: it is of no use to peers elsewhere. */
static void relay_like_listen(struct turn_addresses *out)
{
	for (int loopback = 0; loopback < 2 && out->relay_count == 0; loopback++) {
		for (size_t i = 0; i < out->listen_count; i++) {
			if (is_loopback(&out->listen[i]) == (loopback == 1))
				add(out->relay, &out->relay_count, TURN_ADDRESSES_MAX, &out->listen[i]);
		}
	}
}

static int find_relay(struct turn_addresses *out, const struct turn_config *c, struct err *e)
{
	struct net_addr a;

	for (size_t i = 0; i < c->relay_addresses.count; i++) {
		if (parse(c->relay_addresses.items[i], &a, e) != 0)
			return -1;
		if (is_wildcard(&a) || !add(out->relay, &out->relay_count, TURN_ADDRESSES_MAX, &a))
			return err_set(e, "services.turn-relay: relay.addresses: %s: a single address is wanted, and at most %u",
			               c->relay_addresses.items[i], TURN_ADDRESSES_MAX);
	}
	if (out->relay_count == 0)
		relay_like_listen(out);
	memcpy(out->told, out->relay, sizeof(out->told));
	return 0;
}

static int map_external(struct turn_addresses *out, const char *text, struct err *e)
{
	const char *equals = strchr(text, '=');
	char local[NET_ADDR_TEXT_MAX] = "";
	struct net_addr from, to;

	if (!equals || (size_t)(equals - text) >= sizeof(local))
		return err_set(e, "services.turn-relay: relay.external: %s: LOCAL=EXTERNAL is wanted", text);
	memcpy(local, text, (size_t)(equals - text));
	if (parse(local, &from, e) != 0 || parse(equals + 1, &to, e) != 0)
		return -1;
	if (is_wildcard(&to) || net_addr_is_v4(&from) != net_addr_is_v4(&to))
		return err_set(e, "services.turn-relay: relay.external: %s: two addresses of one family are wanted", text);
	for (size_t i = 0; i < out->relay_count; i++) {
		if (same(&out->relay[i], &from)) {
			out->told[i] = to;
			out->mapped = true;
			return 0;
		}
	}
	return err_set(e, "services.turn-relay: relay.external: %s: no relay address", local);
}

/* ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT. */
static int parse_with_port(const char *text, uint16_t port, struct net_addr *out, struct err *e)
{
	char address[NET_ADDR_TEXT_MAX];
	const char *start = text[0] == '[' ? text + 1 : text, *end = text[0] == '[' ? strchr(text, ']') : strchr(text, ':'), *colon = NULL;
	struct err why;
	unsigned long number = port;
	char *rest;

	/* Without brackets two colons are an IPv6 address alone. */
	if (end && text[0] != '[' && strchr(end + 1, ':'))
		end = NULL;
	if (!end && text[0] == '[')
		return err_set(e, "services.turn-relay: alternates: %s: the bracket is not closed", text);
	if (end)
		colon = *end == ':' ? end : end + 1;
	if (!end)
		end = text + strlen(text);
	if ((size_t)(end - start) >= sizeof(address))
		return err_set(e, "services.turn-relay: alternates: %s: too long", text);
	memcpy(address, start, (size_t)(end - start));
	address[end - start] = '\0';
	if (colon && *colon) {
		number = strtoul(colon + 1, &rest, 10);
		if (*colon != ':' || colon[1] < '0' || colon[1] > '9' || *rest || number == 0 || number > UINT16_MAX)
			return err_set(e, "services.turn-relay: alternates: %s: no port", text);
	}
	if (parse(address, out, &why) != 0)
		return err_set(e, "services.turn-relay: alternates: %s", why.text);
	out->port = (uint16_t)number;
	return 0;
}

static int find_alternates(struct turn_addresses *out, const struct turn_config *c, struct err *e)
{
	for (size_t i = 0; i < c->alternates.count; i++) {
		struct net_addr a, *place;

		if (parse_with_port(c->alternates.items[i], (uint16_t)c->port, &a, e) != 0)
			return -1;
		place = &out->alternate[net_addr_is_v4(&a) ? 0 : 1];
		if (place->port)
			return err_set(e, "services.turn-relay: alternates: more than one of a family");
		*place = a;
	}
	return 0;
}

int turn_addresses_find(struct turn_addresses *out, const struct turn_config *c, struct err *e)
{
	struct net_addr first;

	memset(out, 0, sizeof(*out));
	if (find_own(out, e) != 0 || find_listen(out, c, e) != 0 || find_relay(out, c, e) != 0 || find_alternates(out, c, e) != 0)
		return -1;
	for (size_t i = 0; i < c->external_addresses.count; i++) {
		if (map_external(out, c->external_addresses.items[i], e) != 0)
			return -1;
	}
	for (size_t i = 0; i < out->relay_count; i++) {
		add(out->own, &out->own_count, 3 * TURN_ADDRESSES_MAX, &out->relay[i]);
		add(out->own, &out->own_count, 3 * TURN_ADDRESSES_MAX, &out->told[i]);
		add(out->peers, &out->peer_count, 2 * TURN_ADDRESSES_MAX, &out->relay[i]);
		add(out->peers, &out->peer_count, 2 * TURN_ADDRESSES_MAX, &out->told[i]);
	}
	if (!c->discovery_address[0])
		return 0;
	out->has_discovery = true;
	if (parse(c->discovery_address, &out->discovery, e) != 0 || parse(c->addresses.items[0], &first, e) != 0)
		return -1;
	if (is_wildcard(&first) || is_wildcard(&out->discovery))
		return err_set(e, "services.turn-relay: with discovery.address it and the first of addresses must be single addresses");
	if (net_addr_is_v4(&out->discovery) != net_addr_is_v4(&out->listen[0]) || same(&out->discovery, &out->listen[0]))
		return err_set(e,
		               "services.turn-relay: discovery.address must be another one than the first of addresses, and of its family");
	return 0;
}

static void swap(const struct net_addr *from, const struct net_addr *to, size_t n, struct net_addr *a)
{
	for (size_t i = 0; i < n; i++) {
		if (same(&from[i], a)) {
			memcpy(a->ip, to[i].ip, sizeof(a->ip));
			return;
		}
	}
}

void turn_addresses_localise(const struct turn_addresses *all, struct net_addr *a)
{
	swap(all->told, all->relay, all->relay_count, a);
}

void turn_addresses_tell(const struct turn_addresses *all, struct net_addr *a)
{
	swap(all->relay, all->told, all->relay_count, a);
}
