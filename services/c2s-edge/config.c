/* SPDX-License-Identifier: Apache-2.0 */
#include "services/c2s-edge/config.h"

#include <stdlib.h>
#include <string.h>

#include "common/net/tls.h"
#include "services/c2s-edge/proxy.h"

#define OPT(field) .offset = offsetof(struct c2s_config, field)
#define MIB        ((int64_t)1 << 20)
#define HOUR_MS    ((int64_t)3600 * 1000)

const struct config_option c2s_config_options[] = {
	{ .name = "addresses", .type = CONFIG_LIST, OPT(addresses), .fallback = "0.0.0.0,::", .doc = "Numeric addresses to listen on." },
	{ .name = "c2s.port",
	  .type = CONFIG_INT,
	  OPT(c2s_port),
	  .fallback = "5222",
	  .min = 0,
	  .max = 65535,
	  .doc = "Port for clients that use STARTTLS; 0: none." },
	{ .name = "direct_tls.port",
	  .type = CONFIG_INT,
	  OPT(direct_tls_port),
	  .fallback = "5223",
	  .min = 0,
	  .max = 65535,
	  .doc = "Port for clients that begin with TLS (XEP-0368); 0: none." },
	{ .name = "proxy.trusted",
	  .type = CONFIG_LIST,
	  OPT(proxies),
	  .doc = "Networks (10.0.0.0/8) of proxies that put a PROXY header before each connection; nobody else may connect then. Empty: "
	         "clients connect directly." },
	{ .name = "proxy.timeout",
	  .type = CONFIG_DURATION,
	  OPT(proxy_ms),
	  .fallback = "5s",
	  .min = 3000,
	  .max = HOUR_MS,
	  .doc = "How long that header may take." },
	{ .name = "public_address",
	  .type = CONFIG_STRING,
	  OPT(public_address),
	  .reloads = true,
	  .doc = "host:port at which clients reach this very instance; told to those that may resume (XEP-0198), and to those of an edge "
	         "that drains." },
	{ .name = "tls.dir",
	  .type = CONFIG_PATH,
	  OPT(tls_dir),
	  .fallback = "tls",
	  .reloads = true,
	  .doc = "Folder with HOST.pem and HOST.key for each host; default.pem and default.key serve the others." },
	{ .name = "tls.required",
	  .type = CONFIG_BOOL,
	  OPT(require_tls),
	  .fallback = "true",
	  .reloads = true,
	  .doc = "Refuse logins over connections that are not encrypted." },
	{ .name = "default_host",
	  .type = CONFIG_BOOL,
	  OPT(default_host),
	  .fallback = "true",
	  .reloads = true,
	  .doc = "A stream that names no host is taken for the first of hosts; false: host-unknown." },
	{ .name = "compression",
	  .type = CONFIG_BOOL,
	  OPT(compression),
	  .fallback = "false",
	  .reloads = true,
	  .doc = "Offer zlib (XEP-0138) after login; costs about 80 KiB a connection that uses it." },
	{ .name = "sasl.tries",
	  .type = CONFIG_INT,
	  OPT(sasl_tries),
	  .fallback = "5",
	  .min = 2,
	  .max = 5,
	  .reloads = true,
	  .doc = "Failed logins on one stream before it is closed (RFC 6120 section 6.4.5)." },

	{ .name = "limits.connections",
	  .type = CONFIG_INT,
	  OPT(connections),
	  .fallback = "200000",
	  .min = 1,
	  .max = 10000000,
	  .reloads = true,
	  .doc = "Connections at a time; more wait in the kernel." },
	{ .name = "limits.connections_per_address",
	  .type = CONFIG_INT,
	  OPT(connections_per_address),
	  .fallback = "0",
	  .min = 0,
	  .max = 10000000,
	  .doc = "Connections at a time from one address (IPv6: one /64); 0: as many as there are." },
	{ .name = "limits.logins_per_address",
	  .type = CONFIG_INT,
	  OPT(logins_per_address),
	  .fallback = "1000",
	  .min = 0,
	  .max = 10000000,
	  .doc = "Connections at a time from one address that have not logged in yet; 0: unlimited." },
	{ .name = "limits.connect_rate",
	  .type = CONFIG_INT,
	  OPT(connect_rate),
	  .fallback = "500",
	  .min = 0,
	  .max = 1000000,
	  .doc = "New connections a second from one address; 0: unlimited." },
	{ .name = "limits.connect_burst",
	  .type = CONFIG_INT,
	  OPT(connect_burst),
	  .fallback = "2000",
	  .min = 1,
	  .max = 1000000,
	  .doc = "New connections from one address at once." },
	{ .name = "limits.login_stanza_size",
	  .type = CONFIG_SIZE,
	  OPT(login_stanza_bytes),
	  .fallback = "10KiB",
	  .min = 1024,
	  .max = MIB,
	  .reloads = true,
	  .doc = "Longest element before login, bytes." },
	{ .name = "limits.stanza_size",
	  .type = CONFIG_SIZE,
	  OPT(stanza_bytes),
	  .fallback = "256KiB",
	  .min = 10000,
	  .max = 16 * MIB,
	  .reloads = true,
	  .doc = "Longest stanza, bytes (RFC 6120 section 13.12 wants at least 10000)." },
	{ .name = "limits.depth",
	  .type = CONFIG_INT,
	  OPT(depth),
	  .fallback = "64",
	  .min = 8,
	  .max = 64,
	  .reloads = true,
	  .doc = "Elements within each other, the stream's root included." },
	{ .name = "limits.attributes",
	  .type = CONFIG_INT,
	  OPT(attributes),
	  .fallback = "100",
	  .min = 16,
	  .max = 10000,
	  .reloads = true,
	  .doc = "Attributes of one element." },
	{ .name = "limits.elements",
	  .type = CONFIG_INT,
	  OPT(elements),
	  .fallback = "5000",
	  .min = 32,
	  .max = 10000,
	  .reloads = true,
	  .doc = "Elements in one stanza." },
	{ .name = "limits.name_size",
	  .type = CONFIG_SIZE,
	  OPT(name_bytes),
	  .fallback = "1KiB",
	  .min = 256,
	  .max = 65536,
	  .reloads = true,
	  .doc = "Longest name of an element, attribute or namespace, bytes." },
	{ .name = "limits.read_rate",
	  .type = CONFIG_SIZE,
	  OPT(read_rate),
	  .fallback = "0",
	  .min = 0,
	  .max = 1024 * MIB,
	  .reloads = true,
	  .doc = "Bytes a second read from one connection; 0: as many as come." },
	{ .name = "limits.read_burst",
	  .type = CONFIG_SIZE,
	  OPT(read_burst),
	  .fallback = "256KiB",
	  .min = 1024,
	  .max = 1024 * MIB,
	  .reloads = true,
	  .doc = "Bytes that a quiet connection may send at once when read_rate is set." },
	{ .name = "limits.output_size",
	  .type = CONFIG_SIZE,
	  OPT(output_bytes),
	  .fallback = "4MiB",
	  .min = 65536,
	  .max = 128 * MIB,
	  .reloads = true,
	  .doc = "Bytes waiting for a client that reads too slowly; beyond it the stream ends." },
	{ .name = "limits.unacked",
	  .type = CONFIG_INT,
	  OPT(unacked),
	  .fallback = "10000",
	  .min = 100,
	  .max = 1000000,
	  .reloads = true,
	  .doc = "Stanzas sent to a client with stream management that it has not acknowledged; beyond it the stream ends." },
	{ .name = "limits.login_rate",
	  .type = CONFIG_INT,
	  OPT(login_rate),
	  .fallback = "1000",
	  .min = 0,
	  .max = 1000000,
	  .reloads = true,
	  .doc = "New sessions a second; more logins wait in line, resumptions pass them. 0: unlimited." },
	{ .name = "window.stanzas",
	  .type = CONFIG_INT,
	  OPT(window_stanzas),
	  .fallback = "256",
	  .min = 1,
	  .max = 1000,
	  .reloads = true,
	  .doc = "Stanzas of one client that its account's owner has not accepted yet; then it is read no further." },
	{ .name = "window.size",
	  .type = CONFIG_SIZE,
	  OPT(window_bytes),
	  .fallback = "1MiB",
	  .min = 65536,
	  .max = 64 * MIB,
	  .reloads = true,
	  .doc = "Bytes of such stanzas." },

	{ .name = "timeouts.login",
	  .type = CONFIG_DURATION,
	  OPT(login_ms),
	  .fallback = "30s",
	  .min = 1000,
	  .max = HOUR_MS,
	  .reloads = true,
	  .doc = "Time from connecting to a bound resource." },
	{ .name = "timeouts.bind",
	  .type = CONFIG_DURATION,
	  OPT(bind_wait_ms),
	  .fallback = "10s",
	  .min = 100,
	  .max = HOUR_MS,
	  .reloads = true,
	  .doc = "How long login and bind wait for a service that is away before they fail." },
	{ .name = "timeouts.keepalive",
	  .type = CONFIG_DURATION,
	  OPT(keepalive_ms),
	  .fallback = "2m",
	  .min = 0,
	  .max = 24 * HOUR_MS,
	  .reloads = true,
	  .doc = "Silence after which the server sends a space; 0: never." },
	{ .name = "timeouts.dead",
	  .type = CONFIG_DURATION,
	  OPT(dead_after_ms),
	  .fallback = "60s",
	  .min = 1000,
	  .max = HOUR_MS,
	  .reloads = true,
	  .doc = "A client whose machine acknowledges nothing for so long is gone." },
	{ .name = "timeouts.close",
	  .type = CONFIG_DURATION,
	  OPT(close_ms),
	  .fallback = "3s",
	  .min = 100,
	  .max = HOUR_MS,
	  .reloads = true,
	  .doc = "How long a closing connection may take to flush and to answer." },
	{ .name = "timeouts.linger",
	  .type = CONFIG_DURATION,
	  OPT(linger_ms),
	  .fallback = "5m",
	  .min = 1000,
	  .max = 24 * HOUR_MS,
	  .reloads = true,
	  .doc = "How long stanzas of a client that left are kept for an owner that is away." },
	{ .name = "timeouts.ack",
	  .type = CONFIG_DURATION,
	  OPT(ack_ms),
	  .fallback = "60s",
	  .min = 1000,
	  .max = HOUR_MS,
	  .reloads = true,
	  .doc = "A client that does not answer <r/> (XEP-0198) for so long is gone." },
	{ .name = "sm.enabled",
	  .type = CONFIG_BOOL,
	  OPT(sm_enabled),
	  .fallback = "true",
	  .reloads = true,
	  .doc = "Offer stream management (XEP-0198)." },
	{ .name = "sm.resume",
	  .type = CONFIG_DURATION,
	  OPT(sm_resume_ms),
	  .fallback = "10m",
	  .min = 1000,
	  .max = 24 * HOUR_MS,
	  .reloads = true,
	  .doc = "How long a session can be resumed when the client names no time." },
	{ .name = "sm.max",
	  .type = CONFIG_DURATION,
	  OPT(sm_max_ms),
	  .fallback = "1h",
	  .min = 1000,
	  .max = 24 * HOUR_MS,
	  .reloads = true,
	  .doc = "The longest such time that a client is given." },
	CONFIG_END,
};

/* What may stand in a see-other-host (RFC 6120 section 4.9.3.19); an IPv6 address is in brackets. */
static bool address_ok(const char *address)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	const char *at = address;
	char *end;
	unsigned long port;

	if (!address || !address[0])
		return true;
	if (*at == '[') {
		size_t n = strspn(at + 1, "0123456789abcdefABCDEF:.");

		if (n == 0 || at[n + 1] != ']')
			return false;
		at += n + 2;
	} else {
		at += strspn(at, allowed);
	}
	if (at == address || at[0] != ':' || at[1] < '0' || at[1] > '9')
		return false;
	port = strtoul(at + 1, &end, 10);
	return *end == '\0' && port >= 1 && port <= 65535;
}

int c2s_config_check(const struct config_shared *shared, const void *config, struct err *e)
{
	const struct c2s_config *c = config;
	struct tls_set *set;

	if (c->c2s_port == 0 && c->direct_tls_port == 0)
		return err_set(e, "services.c2s-edge: c2s.port and direct_tls.port are both 0: nothing to listen on");
	if (c->addresses.count == 0)
		return err_set(e, "services.c2s-edge: addresses is empty");
	if (c2s_proxy_parse(&c->proxies, NULL, e) < 0)
		return -1;
	if (c->login_stanza_bytes > c->stanza_bytes)
		return err_set(e, "services.c2s-edge: limits.login_stanza_size is above limits.stanza_size");
	if (c->output_bytes < 2 * c->stanza_bytes)
		return err_set(e, "services.c2s-edge: limits.output_size must hold two stanzas of limits.stanza_size");
	if (c->sm_resume_ms > c->sm_max_ms)
		return err_set(e, "services.c2s-edge: sm.resume is above sm.max");
	if (!address_ok(c->public_address))
		return err_set(e, "services.c2s-edge: public_address is not host:port");
	set = tls_set_load(c->tls_dir, shared->hosts.items, shared->hosts.count, e);
	if (!set)
		return -1;
	tls_set_unref(&set);
	return 0;
}
