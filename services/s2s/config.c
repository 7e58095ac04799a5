/* SPDX-License-Identifier: Apache-2.0 */
#include "services/s2s/config.h"

#include <stdlib.h>
#include <string.h>

#include "common/dns/xmpp_override.h"
#include "common/net/cidr.h"
#include "common/net/tls.h"
#include "common/xmpp/jid.h"

#define OPT(field) .offset = offsetof(struct s2s_config, field)
#define MIB        ((int64_t)1 << 20)
#define HOUR_MS    ((int64_t)3600 * 1000)

static const char *const proofs[] = { "dialback", "certificate", NULL };

const struct config_option s2s_config_options[] = {
	{ .name = "addresses", .type = CONFIG_LIST, OPT(addresses), .fallback = "0.0.0.0,::", .doc = "Numeric addresses to listen on." },
	{ .name = "port",
	  .type = CONFIG_INT,
	  OPT(port),
	  .fallback = "5269",
	  .min = 0,
	  .max = 65535,
	  .doc = "Port for servers that use STARTTLS; 0: none." },
	{ .name = "direct_tls.port",
	  .type = CONFIG_INT,
	  OPT(direct_tls_port),
	  .fallback = "0",
	  .min = 0,
	  .max = 65535,
	  .doc = "Port for servers that begin with TLS (XEP-0368); 0: none." },
	{ .name = "source_address",
	  .type = CONFIG_STRING,
	  OPT(source_address),
	  .reloads = true,
	  .doc = "Numeric address that connections to other servers come from; empty: the system chooses." },
	{ .name = "tls.dir",
	  .type = CONFIG_PATH,
	  OPT(tls_dir),
	  .fallback = "tls",
	  .reloads = true,
	  .doc = "Folder with HOST.pem and HOST.key for each host; default.pem and default.key serve the others. They are shown to other "
	         "servers, too." },
	{ .name = "tls.trust",
	  .type = CONFIG_PATH,
	  OPT(tls_trust),
	  .reloads = true,
	  .doc = "File or folder of the authorities in PEM that other servers' certificates are checked by; empty: the system's." },
	{ .name = "tls.required",
	  .type = CONFIG_BOOL,
	  OPT(require_tls),
	  .fallback = "true",
	  .reloads = true,
	  .doc = "Speak with other servers over TLS only." },
	{ .name = "proof",
	  .type = CONFIG_ENUM,
	  OPT(default_proof),
	  .fallback = "dialback",
	  .choices = proofs,
	  .reloads = true,
	  .doc = "How another server proves its name: certificate (nothing else will do), or dialback (as well, where it has no valid "
	         "certificate)." },
	{ .name = "certificate_domains",
	  .type = CONFIG_LIST,
	  OPT(certificate_domains),
	  .reloads = true,
	  .doc = "Remote domains, or *.suffix, that need a valid certificate whatever proof says." },
	{ .name = "dialback_domains",
	  .type = CONFIG_LIST,
	  OPT(dialback_domains),
	  .reloads = true,
	  .doc = "Remote domains, or *.suffix, that may prove themselves by dialback whatever proof says." },
	{ .name = "deny",
	  .type = CONFIG_LIST,
	  OPT(deny),
	  .reloads = true,
	  .doc = "Remote domains, or *.suffix, that are not spoken with." },
	{ .name = "allow",
	  .type = CONFIG_LIST,
	  OPT(allow),
	  .reloads = true,
	  .doc = "When not empty: the only remote domains, or *.suffix, that are spoken with." },
	{ .name = "overrides",
	  .type = CONFIG_LIST,
	  OPT(overrides),
	  .reloads = true,
	  .doc = "Where remote domains are, past the DNS: domain=host:port, or domain=tls://host:port for a server that begins with TLS." },
	{ .name = "private_networks",
	  .type = CONFIG_LIST,
	  OPT(private_networks),
	  .reloads = true,
	  .doc = "Networks, address/bits, in which remote domains may be although they are loopback, link-local, private or otherwise not "
	         "public; "
	         "what overrides names is connected to wherever it is." },
	{ .name = "dns.servers",
	  .type = CONFIG_LIST,
	  OPT(dns_servers),
	  .doc = "Name servers, address or address:port; empty: the system's." },
	{ .name = "bidi",
	  .type = CONFIG_BOOL,
	  OPT(bidi),
	  .fallback = "true",
	  .reloads = true,
	  .doc = "One stream for both directions where the other server can (XEP-0288)." },
	{ .name = "sm",
	  .type = CONFIG_BOOL,
	  OPT(sm),
	  .fallback = "true",
	  .reloads = true,
	  .doc = "Stream management with other servers (XEP-0198)." },
	{ .name = "compression",
	  .type = CONFIG_BOOL,
	  OPT(compression),
	  .fallback = "false",
	  .reloads = true,
	  .doc = "zlib with other servers that can (XEP-0138). TLS hides what is written, not how much: who can write to a stream and "
	         "see its length can guess what others write there. Costs about 80 KiB a stream." },
	{ .name = "limits.connections",
	  .type = CONFIG_INT,
	  OPT(connections),
	  .fallback = "20000",
	  .min = 1,
	  .max = 10000000,
	  .reloads = true,
	  .doc = "Connections at a time, both directions; more wait in the kernel." },
	{ .name = "limits.connect_rate",
	  .type = CONFIG_INT,
	  OPT(connect_rate),
	  .fallback = "50",
	  .min = 0,
	  .max = 1000000,
	  .doc = "New connections a second from one address; 0: unlimited." },
	{ .name = "limits.connect_burst",
	  .type = CONFIG_INT,
	  OPT(connect_burst),
	  .fallback = "200",
	  .min = 1,
	  .max = 1000000,
	  .doc = "New connections from one address at once." },
	{ .name = "limits.pairs",
	  .type = CONFIG_INT,
	  OPT(pairs),
	  .fallback = "1000",
	  .min = 1,
	  .max = 100000,
	  .reloads = true,
	  .doc = "Pairs of domains that one stream may prove." },
	{ .name = "limits.verifies",
	  .type = CONFIG_INT,
	  OPT(verifies),
	  .fallback = "100",
	  .min = 1,
	  .max = 10000,
	  .reloads = true,
	  .doc = "Dialback keys of one stream, or of one domain, that are being verified at a time." },
	{ .name = "limits.early_stanza_size",
	  .type = CONFIG_SIZE,
	  OPT(early_stanza_bytes),
	  .fallback = "16KiB",
	  .min = 4096,
	  .max = MIB,
	  .reloads = true,
	  .doc = "Longest element before a domain is proved, bytes." },
	{ .name = "limits.stanza_size",
	  .type = CONFIG_SIZE,
	  OPT(stanza_bytes),
	  .fallback = "512KiB",
	  .min = 10000,
	  .max = 16 * MIB,
	  .reloads = true,
	  .doc = "Longest stanza, bytes." },
	{ .name = "limits.depth",
	  .type = CONFIG_INT,
	  OPT(depth),
	  .fallback = "64",
	  .min = 8,
	  .max = 1000,
	  .reloads = true,
	  .doc = "Deepest nesting of elements." },
	{ .name = "limits.attributes",
	  .type = CONFIG_INT,
	  OPT(attributes),
	  .fallback = "100",
	  .min = 10,
	  .max = 1000,
	  .reloads = true,
	  .doc = "Attributes of one element." },
	{ .name = "limits.elements",
	  .type = CONFIG_INT,
	  OPT(elements),
	  .fallback = "5000",
	  .min = 10,
	  .max = 100000,
	  .reloads = true,
	  .doc = "Elements in one stanza." },
	{ .name = "limits.name_size",
	  .type = CONFIG_SIZE,
	  OPT(name_bytes),
	  .fallback = "1KiB",
	  .min = 64,
	  .max = 65536,
	  .reloads = true,
	  .doc = "Longest name or namespace, bytes." },
	{ .name = "limits.read_rate",
	  .type = CONFIG_SIZE,
	  OPT(read_rate),
	  .fallback = "2MiB",
	  .min = 0,
	  .max = 1024 * MIB,
	  .reloads = true,
	  .doc = "Bytes a second that are read from one connection; 0: as many as come." },
	{ .name = "limits.read_burst",
	  .type = CONFIG_SIZE,
	  OPT(read_burst),
	  .fallback = "8MiB",
	  .min = 65536,
	  .max = 1024 * MIB,
	  .reloads = true,
	  .doc = "Bytes that may be saved up." },
	{ .name = "limits.output_size",
	  .type = CONFIG_SIZE,
	  OPT(output_bytes),
	  .fallback = "4MiB",
	  .min = 65536,
	  .max = 1024 * MIB,
	  .reloads = true,
	  .doc = "Bytes that wait for a slow server before writing to it pauses." },
	{ .name = "limits.unacked",
	  .type = CONFIG_INT,
	  OPT(unacked),
	  .fallback = "1000",
	  .min = 10,
	  .max = 100000,
	  .reloads = true,
	  .doc = "Stanzas that a server may leave unacknowledged before writing to it pauses." },
	{ .name = "limits.link_stanzas",
	  .type = CONFIG_INT,
	  OPT(link_stanzas),
	  .fallback = "2000",
	  .min = 100,
	  .max = 1000000,
	  .reloads = true,
	  .doc = "Stanzas of one pair of domains in memory; more are in the spool alone." },
	{ .name = "limits.memory",
	  .type = CONFIG_SIZE,
	  OPT(memory_bytes),
	  .fallback = "256MiB",
	  .min = MIB,
	  .max = 65536 * MIB,
	  .reloads = true,
	  .doc = "Stanzas of all pairs in memory, bytes; above, new ones are refused for now, and wait with their senders' owners." },
	{ .name = "limits.window",
	  .type = CONFIG_INT,
	  OPT(window_stanzas),
	  .fallback = "256",
	  .min = 8,
	  .max = 65536,
	  .reloads = true,
	  .doc = "Stanzas of one inbound stream that are being handled; then it is not read." },
	{ .name = "spool.after",
	  .type = CONFIG_DURATION,
	  OPT(spool_after_ms),
	  .fallback = "1500ms",
	  .min = 50,
	  .max = HOUR_MS,
	  .reloads = true,
	  .doc = "A stanza that the other server has not acknowledged by then goes into the store." },
	{ .name = "spool.age",
	  .type = CONFIG_DURATION,
	  OPT(spool_age_ms),
	  .fallback = "1h",
	  .min = 1000,
	  .max = 30 * 24 * HOUR_MS,
	  .reloads = true,
	  .doc = "A message that cannot be delivered for so long comes back as an error." },
	{ .name = "spool.count",
	  .type = CONFIG_INT,
	  OPT(spool_count),
	  .fallback = "100000",
	  .min = 0,
	  .max = 1000000000,
	  .reloads = true,
	  .doc = "Stanzas in the store for one pair of domains; 0: no limit." },
	{ .name = "spool.size",
	  .type = CONFIG_SIZE,
	  OPT(spool_bytes),
	  .fallback = "256MiB",
	  .min = 0,
	  .max = 1048576 * MIB,
	  .reloads = true,
	  .doc = "Bytes in the store for one pair of domains; 0: no limit." },
	{ .name = "timeouts.early",
	  .type = CONFIG_DURATION,
	  OPT(early_ms),
	  .fallback = "30s",
	  .min = 1000,
	  .max = HOUR_MS,
	  .reloads = true,
	  .doc = "Longest time until a stream is ready." },
	{ .name = "timeouts.dial",
	  .type = CONFIG_DURATION,
	  OPT(dial_ms),
	  .fallback = "20s",
	  .min = 1000,
	  .max = HOUR_MS,
	  .reloads = true,
	  .doc = "Longest time for finding and reaching another server; the next of its addresses has as long." },
	{ .name = "timeouts.dialback",
	  .type = CONFIG_DURATION,
	  OPT(dialback_ms),
	  .fallback = "30s",
	  .min = 1000,
	  .max = HOUR_MS,
	  .reloads = true,
	  .doc = "Longest time for the authoritative server's answer." },
	{ .name = "timeouts.answer",
	  .type = CONFIG_DURATION,
	  OPT(answer_ms),
	  .fallback = "60s",
	  .min = 1000,
	  .max = HOUR_MS,
	  .reloads = true,
	  .doc = "A server that does not acknowledge, or answer a ping, for so long is gone." },
	{ .name = "timeouts.idle",
	  .type = CONFIG_DURATION,
	  OPT(idle_ms),
	  .fallback = "10m",
	  .min = 10000,
	  .max = 24 * HOUR_MS,
	  .reloads = true,
	  .doc = "A stream that carries nothing for so long is closed." },
	{ .name = "timeouts.keepalive",
	  .type = CONFIG_DURATION,
	  OPT(keepalive_ms),
	  .fallback = "2m",
	  .min = 0,
	  .max = 24 * HOUR_MS,
	  .reloads = true,
	  .doc = "Silence after which a space is sent; 0: never." },
	{ .name = "timeouts.dead",
	  .type = CONFIG_DURATION,
	  OPT(dead_after_ms),
	  .fallback = "60s",
	  .min = 1000,
	  .max = HOUR_MS,
	  .reloads = true,
	  .doc = "A server whose machine acknowledges nothing for so long is gone." },
	{ .name = "timeouts.close",
	  .type = CONFIG_DURATION,
	  OPT(close_ms),
	  .fallback = "3s",
	  .min = 100,
	  .max = HOUR_MS,
	  .reloads = true,
	  .doc = "How long a closing connection may take to flush and to answer." },
	{ .name = "timeouts.retry_min",
	  .type = CONFIG_DURATION,
	  OPT(retry_min_ms),
	  .fallback = "2s",
	  .min = 50,
	  .max = HOUR_MS,
	  .reloads = true,
	  .doc = "First wait after a failed attempt; it doubles, with jitter." },
	{ .name = "timeouts.retry_max",
	  .type = CONFIG_DURATION,
	  OPT(retry_max_ms),
	  .fallback = "5m",
	  .min = 1000,
	  .max = 24 * HOUR_MS,
	  .reloads = true,
	  .doc = "Longest wait between attempts." },
	CONFIG_END,
};

/* Domains are compared as they are written: one in another form would never match, and what it was to keep out would come in. */
static int check_patterns(const struct config_list *list, const char *name, struct err *e)
{
	char normal[JID_PART_MAX + 1];
	size_t n;

	for (size_t i = 0; i < list->count; i++) {
		const char *domain = list->items[i];

		if (strncmp(domain, "*.", 2) == 0)
			domain += 2;
		if (jid_prep_domain(str_from(domain), normal, &n) != JID_OK)
			return err_set(e, "services.s2s: %s: '%s' is neither a domain nor *.suffix", name, list->items[i]);
		if (strcmp(domain, normal) != 0)
			return err_set(e, "services.s2s: %s: '%s' is to be written as '%s'", name, domain, normal);
	}
	return 0;
}

static int check_networks(const struct config_list *list, struct err *e)
{
	struct cidr parsed;
	struct err why = { "" };

	for (size_t i = 0; i < list->count; i++) {
		if (cidr_parse(list->items[i], &parsed, &why) != 0)
			return err_set(e, "services.s2s: private_networks: %s", why.text);
	}
	return 0;
}

int s2s_config_check(const struct config_shared *shared, const void *config, struct err *e)
{
	const struct s2s_config *c = config;
	struct tls_set *set;

	if (c->addresses.count == 0)
		return err_set(e, "services.s2s: addresses is empty");
	if (c->early_stanza_bytes > c->stanza_bytes)
		return err_set(e, "services.s2s: limits.early_stanza_size is above limits.stanza_size");
	if (c->output_bytes < 2 * c->stanza_bytes)
		return err_set(e, "services.s2s: limits.output_size must hold two stanzas of limits.stanza_size");
	if (c->compression && c->read_rate == 0)
		return err_set(e, "services.s2s: compression needs limits.read_rate, which limits what is unpacked");
	if (c->retry_min_ms > c->retry_max_ms)
		return err_set(e, "services.s2s: timeouts.retry_min is above timeouts.retry_max");
	if (check_patterns(&c->certificate_domains, "certificate_domains", e) != 0 ||
	    check_patterns(&c->dialback_domains, "dialback_domains", e) != 0 || check_patterns(&c->deny, "deny", e) != 0 ||
	    check_patterns(&c->allow, "allow", e) != 0 || check_networks(&c->private_networks, e) != 0)
		return -1;
	for (size_t i = 0; i < c->overrides.count; i++) {
		struct xmpp_override parsed;

		if (xmpp_override_parse(c->overrides.items[i], &parsed, e) != 0)
			return -1;
	}
	set = tls_set_load(c->tls_dir, shared->hosts.items, shared->hosts.count, e);
	if (!set)
		return -1;
	tls_set_unref(&set);
	return 0;
}
