/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/config.h"

#include <stdlib.h>
#include <string.h>

#include "common/net/tls.h"
#include "common/stun/peer_policy.h"
#include "services/turn-relay/addresses.h"
#include "services/turn-relay/creds.h"

#define OPT(field) .offset = offsetof(struct turn_config, field)
#define REALM_MAX  127u
#define MIB        ((int64_t)1 << 20)

/* clang-format off */
#define LIST(key, field, value, text)          { .name = key, .type = CONFIG_LIST, OPT(field), .fallback = value, .doc = text }
#define INT(key, field, value, low, high, text) { .name = key, .type = CONFIG_INT, OPT(field), .fallback = value, .min = low, .max = high, .doc = text }
#define SIZE(key, field, value, low, high, text) { .name = key, .type = CONFIG_SIZE, OPT(field), .fallback = value, .min = low, .max = high, .doc = text }
#define TIME(key, field, value, low, high, text) { .name = key, .type = CONFIG_DURATION, OPT(field), .fallback = value, .min = low, .max = high, .doc = text }
#define BOOL(key, field, value, text)          { .name = key, .type = CONFIG_BOOL, OPT(field), .fallback = value, .doc = text }

const struct config_option turn_config_options[] = {
	LIST("addresses", addresses, "0.0.0.0,::", "Numeric addresses to listen on; 0.0.0.0 and :: are all that the machine has when the daemon starts."),
	INT("port", port, "3478", 1, 65535, "UDP and TCP port."),
	BOOL("udp", udp, "true", "Serve clients over UDP."),
	BOOL("tcp", tcp, "true", "Serve clients over TCP."),
	BOOL("dtls", dtls, "true", "Serve clients over DTLS, on both UDP ports, when tls.port is not 0."),
	INT("tls.port", tls_port, "5349", 0, 65535, "TCP port for clients that begin with TLS, and UDP port for DTLS; the same as port: one port takes both, told apart by the first byte; 0: none of both."),
	{ .name = "tls.dir", .type = CONFIG_PATH, OPT(tls_dir), .fallback = "tls", .reloads = true,
	  .doc = "Folder with HOST.pem and HOST.key for each host; default.pem and default.key serve the others." },
	{ .name = "realm", .type = CONFIG_STRING, OPT(realm), .doc = "What clients are told their name is for; empty: the first of hosts." },
	{ .name = "secrets_file", .type = CONFIG_PATH, OPT(secrets_file), .fallback = "keys/turn.secrets", .reloads = true,
	  .doc = "File with shared secrets, one a line, for user names EXPIRY:NAME; all are accepted. Its content is read again on reload." },
	{ .name = "users_file", .type = CONFIG_PATH, OPT(users_file), .reloads = true,
	  .doc = "File with users whose passwords do not expire, NAME:PASSWORD a line; empty: none. Its content is read again on reload." },
	{ .name = "public_address", .type = CONFIG_STRING, OPT(public_address),
	  .doc = "host:port that clients of this flock are told to use (XEP-0215); empty: they are not told of this relay." },
	LIST("alternates", alternates, NULL, "Other relays, address or address:port, at most one of each family: clients who ask for an allocation while this one drains are sent there."),
	BOOL("strict_expiry", strict_expiry, "false", "End an allocation when the user name that made it expires; otherwise it may be refreshed for as long as it is used."),
	BOOL("legacy_channels", legacy_channels, "false", "Channel numbers up to 0x7FFE, as RFC 5766 had them and RFC 8656 has not: for clients that choose them at random."),
	BOOL("relay.tcp", tcp_relay, "false", "TCP to peers, for clients that ask for it over TCP or TLS (RFC 6062)."),
	BOOL("mobility", mobility, "true", "Allocations of clients that ask for it follow them to another address (RFC 8016)."),
	INT("workers", workers, "0", 0, 64, "Threads that relay; 0: one for each processor."),
	LIST("relay.addresses", relay_addresses, NULL, "Numeric addresses that peers see; empty: those that are listened on."),
	LIST("relay.external", external_addresses, NULL, "Behind a NAT that maps addresses one to one: LOCAL=EXTERNAL, what clients are told in place of a relay address."),
	INT("relay.port_min", port_min, "49152", 1024, 65535, "First port for peers."),
	INT("relay.port_max", port_max, "65535", 1024, 65535, "Last port for peers."),
	LIST("peers.allow", peers_allow, NULL, "Networks, address/bits, of peers that are allowed although they are not public; wins over peers.deny."),
	LIST("peers.deny", peers_deny, NULL, "Networks, address/bits, of peers that are denied although they are public."),
	{ .name = "discovery.address", .type = CONFIG_STRING, OPT(discovery_address),
	  .doc = "A second numeric address of this machine, for NAT discovery (RFC 5780) together with the first of addresses, which must be numeric, too; empty: none." },
	INT("discovery.port", discovery_port, "3479", 1, 65535, "A second UDP port for the same."),
	TIME("timeouts.allocation", allocation_max_ms, "1h", 600000, 86400000, "Longest time for which a client may ask without refreshing."),
	TIME("timeouts.nonce", nonce_ms, "1h", 1000, 86400000, "How long a nonce is good."),
	TIME("timeouts.early", early_ms, "30s", 1000, 600000, "How long a TCP connection may be without an allocation."),
	INT("limits.allocations", allocations, "100000", 1, 10000000, "Allocations at a time."),
	INT("limits.user_allocations", per_user, "10", 1, 1000000, "Of one user."),
	INT("limits.address_allocations", per_address, "100", 1, 1000000, "Of clients with one address."),
	INT("limits.permissions", permissions, "32", 1, 1024, "Addresses of peers that one allocation may exchange data with."),
	INT("limits.channels", channels, "32", 1, 1024, "Channels of one allocation."),
	INT("limits.tcp_connections", tcp_connections, "16", 1, 1024, "TCP connections to peers of one allocation, with relay.tcp."),
	SIZE("limits.rate", bytes_a_second, "4MiB", 0, 1024 * MIB, "Bytes a second of one allocation, both directions together; what is more is dropped; 0: any."),
	INT("limits.packets", packets_a_second, "10000", 0, 10000000, "Datagrams a second of one allocation; 0: any."),
	INT("limits.failures", failures_a_minute, "60", 0, 1000000, "Wrong credentials a minute from one address; more are not looked at; 0: any."),
	INT("limits.unauthenticated_rate", unauthenticated_rate, "50", 1, 1000000,
	    "Answers a second, from each thread, to one network that has not shown that it is the one that asks."),
	INT("limits.unauthenticated_burst", unauthenticated_burst, "200", 1, 65535, "Of those at once."),
	INT("limits.connections", connections, "10000", 1, 1000000, "TCP connections at a time, of each thread; more wait in the kernel."),
	INT("limits.connect_rate", connect_rate, "50", 0, 1000000, "New TCP connections a second from one address, at each thread; 0: any."),
	INT("limits.connect_burst", connect_burst, "200", 1, 1000000, "New TCP connections from one address at once."),
	SIZE("limits.output_size", output_bytes, "256KiB", 65536, 64 * MIB, "Bytes that wait for a slow TCP client; data beyond is dropped. With relay.tcp, bytes that wait on either side; then the other one is not read."),
	SIZE("limits.socket_size", socket_bytes, "4MiB", 65536, 256 * MIB, "Kernel buffers of a listening UDP socket, if the kernel gives as much."),
	CONFIG_END,
};
/* clang-format on */

const char *turn_config_realm(const struct config_shared *shared, const struct turn_config *c)
{
	if (c->realm[0])
		return c->realm;
	return shared->hosts.count ? shared->hosts.items[0] : "localhost";
}

int turn_config_networks(const struct config_list *list, struct cidr *out, bool allowed, struct err *e)
{
	struct err why = { "" };

	if (list->count > TURN_NETWORKS_MAX)
		return err_set(e, "services.turn-relay: more than %u networks in a list of peers", TURN_NETWORKS_MAX);
	for (size_t i = 0; i < list->count; i++) {
		if (cidr_parse(list->items[i], &out[i], &why) != 0 || (allowed && peer_policy_check_allow(&out[i], &why) != 0))
			return err_set(e, "services.turn-relay: peers.%s: %s: %s", allowed ? "allow" : "deny", list->items[i], why.text);
	}
	return (int)list->count;
}

/* As clients will write it: a name or address, IPv6 in brackets, and a port. */
static bool is_host_and_port(const char *text)
{
	const char *colon = strrchr(text, ':');
	unsigned long port = colon && colon[1] >= '1' && colon[1] <= '9' && strspn(colon + 1, "0123456789") == strlen(colon + 1)
	                             ? strtoul(colon + 1, NULL, 10)
	                             : 0;

	return port > 0 && port <= 65535 && colon > text && !strpbrk(text, " \t/@") &&
	       (text[0] == '[' ? colon[-1] == ']' : strchr(text, ':') == colon);
}

static int check_credentials(const struct config_shared *shared, const struct turn_config *c, struct err *e)
{
	const char *realm = turn_config_realm(shared, c);
	struct creds *creds;
	struct err why = { "" };

	/* RFC 8489 section 14.9: what could stand in quotes. */
	if (strlen(realm) > REALM_MAX || strpbrk(realm, "\"\\"))
		return err_set(e, "services.turn-relay: realm is longer than %u bytes, or has quotes or backslashes in it", REALM_MAX);
	creds = creds_load(c->secrets_file, c->users_file, realm, &why);
	if (!creds)
		return err_set(e, "services.turn-relay: %s", why.text);
	creds_unref(&creds);
	return 0;
}

int turn_config_check(const struct config_shared *shared, const void *config, struct err *e)
{
	const struct turn_config *c = config;
	static struct cidr networks[TURN_NETWORKS_MAX];
	struct turn_addresses addresses;
	struct tls_set *set;

	if (!c->udp && !c->tcp && c->tls_port == 0)
		return err_set(e, "services.turn-relay: neither udp nor tcp nor tls.port: nobody could reach it");
	if (c->port_min > c->port_max)
		return err_set(e, "services.turn-relay: relay.port_min is above relay.port_max");
	if (c->public_address[0] && !is_host_and_port(c->public_address))
		return err_set(e, "services.turn-relay: public_address is not host:port");
	if (c->discovery_address[0] && c->discovery_port == c->port)
		return err_set(e, "services.turn-relay: discovery.port must differ from port");
	if (turn_config_networks(&c->peers_allow, networks, true, e) < 0 || turn_config_networks(&c->peers_deny, networks, false, e) < 0 ||
	    turn_addresses_find(&addresses, c, e) != 0 || check_credentials(shared, c, e) != 0)
		return -1;
	if (c->tls_port == 0)
		return 0;
	set = tls_set_load(c->tls_dir, shared->hosts.items, shared->hosts.count, e);
	if (!set)
		return -1;
	tls_set_unref(&set);
	return 0;
}
