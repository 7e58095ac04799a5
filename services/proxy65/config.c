/* SPDX-License-Identifier: Apache-2.0 */
#include "services/proxy65/config.h"

#include <string.h>

#include "common/net/addr.h"
#include "common/xmpp/jid.h"

#define OPT(field) .offset = offsetof(struct proxy65_config, field)
#define HOUR_MS    ((int64_t)3600 * 1000)

const struct config_option proxy65_config_options[] = {
	{ .name = "addresses", .type = CONFIG_LIST, OPT(addresses), .fallback = "0.0.0.0,::", .doc = "Numeric addresses to listen on." },
	{ .name = "port",
	  .type = CONFIG_INT,
	  OPT(port),
	  .fallback = "7777",
	  .min = 1,
	  .max = 65535,
	  .doc = "TCP port for clients' SOCKS5." },
	{ .name = "ports",
	  .type = CONFIG_INT,
	  OPT(ports),
	  .fallback = "8",
	  .min = 1,
	  .max = 1000,
	  .doc = "How many ports, from that one on, instances of one machine share out: both parties of a stream must reach the same "
	         "one." },
	{ .name = "subdomain",
	  .type = CONFIG_STRING,
	  OPT(subdomain),
	  .fallback = "proxy",
	  .doc = "Before each host's name, it is the relay's address in XMPP: proxy.example.org." },
	{ .name = "announce.host",
	  .type = CONFIG_STRING,
	  OPT(announce_host),
	  .reloads = true,
	  .doc = "Name or numeric address that clients connect to; empty: the relay's address in XMPP, which the DNS must then know." },
	{ .name = "announce.port",
	  .type = CONFIG_INT,
	  OPT(announce_port),
	  .fallback = "0",
	  .min = 0,
	  .max = 65535,
	  .reloads = true,
	  .doc = "Port that clients connect to, where it is forwarded; of the first of `ports`, the others follow. 0: the same." },
	{ .name = "allow",
	  .type = CONFIG_LIST,
	  OPT(allow),
	  .reloads = true,
	  .doc = "Other domains, or *.suffix, whose users may use the relay as those of this server do." },
	{ .name = "limits.connections",
	  .type = CONFIG_INT,
	  OPT(connections),
	  .fallback = "10000",
	  .min = 2,
	  .max = 10000000,
	  .reloads = true,
	  .doc = "Connections at a time; more wait in the kernel." },
	{ .name = "limits.connections_per_address",
	  .type = CONFIG_INT,
	  OPT(address_connections),
	  .fallback = "50",
	  .min = 0,
	  .max = 1000000,
	  .reloads = true,
	  .doc = "Connections of one address at a time; 0: unlimited." },
	{ .name = "limits.connect_rate",
	  .type = CONFIG_INT,
	  OPT(connect_rate),
	  .fallback = "10",
	  .min = 0,
	  .max = 1000000,
	  .reloads = true,
	  .doc = "New connections a second from one address; 0: unlimited." },
	{ .name = "limits.connect_burst",
	  .type = CONFIG_INT,
	  OPT(connect_burst),
	  .fallback = "50",
	  .min = 1,
	  .max = 1000000,
	  .reloads = true,
	  .doc = "New connections from one address at once." },
	{ .name = "limits.user_streams",
	  .type = CONFIG_INT,
	  OPT(user_streams),
	  .fallback = "10",
	  .min = 1,
	  .max = 100000,
	  .reloads = true,
	  .doc = "Streams that one account has activated, at a time." },
	{ .name = "limits.user_rate",
	  .type = CONFIG_SIZE,
	  OPT(user_rate),
	  .fallback = "0",
	  .min = 0,
	  .max = 1LL << 40,
	  .reloads = true,
	  .doc = "Bytes a second over all streams of one account, both directions; 0: unlimited." },
	{ .name = "limits.stream_rate",
	  .type = CONFIG_SIZE,
	  OPT(stream_rate),
	  .fallback = "0",
	  .min = 0,
	  .max = 1LL << 40,
	  .reloads = true,
	  .doc = "Bytes a second of one stream, both directions; 0: unlimited." },
	{ .name = "quota.size",
	  .type = CONFIG_SIZE,
	  OPT(quota_bytes),
	  .fallback = "0",
	  .min = 0,
	  .max = 1LL << 50,
	  .reloads = true,
	  .doc = "Bytes that one account may move in quota.period through one instance; 0: unlimited." },
	{ .name = "quota.period",
	  .type = CONFIG_DURATION,
	  OPT(quota_period_ms),
	  .fallback = "1d",
	  .min = 1000,
	  .max = 366 * 24 * HOUR_MS,
	  .reloads = true,
	  .doc = "After this time an account's count begins anew." },
	{ .name = "timeouts.handshake",
	  .type = CONFIG_DURATION,
	  OPT(handshake_ms),
	  .fallback = "10s",
	  .min = 100,
	  .max = HOUR_MS,
	  .reloads = true,
	  .doc = "From connecting to the SOCKS5 request." },
	{ .name = "timeouts.activation",
	  .type = CONFIG_DURATION,
	  OPT(activation_ms),
	  .fallback = "60s",
	  .min = 100,
	  .max = HOUR_MS,
	  .reloads = true,
	  .doc = "How long a party waits for the other, and both for activation." },
	{ .name = "timeouts.idle",
	  .type = CONFIG_DURATION,
	  OPT(idle_ms),
	  .fallback = "5m",
	  .min = 1000,
	  .max = 24 * HOUR_MS,
	  .reloads = true,
	  .doc = "An active stream that carries nothing for so long ends." },
	{ .name = "timeouts.dead",
	  .type = CONFIG_DURATION,
	  OPT(dead_after_ms),
	  .fallback = "60s",
	  .min = 1000,
	  .max = HOUR_MS,
	  .reloads = true,
	  .doc = "A connection whose other end acknowledges nothing for so long ends." },
	CONFIG_END,
};

static int check_domain(const char *subdomain, const char *host, struct err *e)
{
	char domain[JID_PART_MAX + 1], prepared[JID_PART_MAX + 1];
	size_t n = strlen(subdomain) + 1 + strlen(host), prepared_n;

	if (subdomain[0] == '\0' || n > JID_PART_MAX)
		return err_set(e, "subdomain: a name is needed");
	memcpy(domain, subdomain, strlen(subdomain));
	domain[strlen(subdomain)] = '.';
	memcpy(domain + strlen(subdomain) + 1, host, strlen(host));
	if (jid_prep_domain(str_make(domain, n), prepared, &prepared_n) != JID_OK ||
	    !str_eq(str_make(prepared, prepared_n), str_make(domain, n)))
		return err_set(e, "subdomain: %s.%s is no domain, or not written as it should be (lower case)", subdomain, host);
	return 0;
}

/* It goes into an attribute that clients hand to their resolver. */
static int check_announced(const char *host, struct err *e)
{
	struct sockaddr_storage address;
	socklen_t n;
	size_t length = strlen(host);
	char text[NET_ADDR_TEXT_MAX];
	struct net_addr numeric;

	if (length == 0)
		return 0;
	if (net_addr_parse(host, 0, &address, &n, NULL) == 0) {
		/* XEP-0065 section 4: as RFC 5952 has it. */
		net_addr_from((struct sockaddr *)&address, &numeric);
		if (strcmp(net_addr_text(&numeric, text), host) != 0)
			return err_set(e, "announce.host: %s is written %s", host, text);
		return 0;
	}
	if (length > 253 || strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") != length || host[0] == '-' ||
	    host[0] == '.')
		return err_set(e, "announce.host: a domain name (in ASCII) or a numeric address without brackets is needed");
	return 0;
}

int proxy65_config_check(const struct config_shared *shared, const void *config, struct err *e)
{
	const struct proxy65_config *c = config;
	struct sockaddr_storage address;
	socklen_t n;

	if (shared->hosts.count == 0)
		return err_set(e, "hosts: at least one host is needed");
	for (size_t i = 0; i < shared->hosts.count; i++) {
		if (check_domain(c->subdomain, shared->hosts.items[i], e) != 0)
			return -1;
	}
	for (size_t i = 0; i < c->addresses.count; i++) {
		if (net_addr_parse(c->addresses.items[i], 0, &address, &n, e) != 0)
			return -1;
	}
	if (c->addresses.count == 0)
		return err_set(e, "addresses: at least one is needed");
	if (c->port + c->ports - 1 > 65535 || (c->announce_port && c->announce_port + c->ports - 1 > 65535))
		return err_set(e, "ports: they end at 65535");
	return check_announced(c->announce_host, e);
}
