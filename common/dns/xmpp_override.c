/* SPDX-License-Identifier: Apache-2.0 */
#include "common/dns/xmpp_override.h"

#include <stdlib.h>

#include "common/text/idna.h"

#define DIRECT "tls://"

bool xmpp_domain_ascii(struct str domain, char out[DNS_NAME_MAX + 1])
{
	char normal[1024];
	size_t n;

	if (!idna_domain(domain, normal, sizeof(normal), &n) || !idna_to_ascii(str_make(normal, n), out, DNS_NAME_MAX, &n))
		return false;
	out[n] = '\0';
	return true;
}

bool xmpp_literal(const char *host, uint16_t port, struct net_addr *out)
{
	char text[DNS_NAME_MAX + 1];
	struct sockaddr_storage sa;
	socklen_t sa_len;
	size_t n = strlen(host);

	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		memcpy(text, host + 1, n - 2);
		text[n - 2] = '\0';
		host = text;
	} else if (strchr(host, ':')) {
		return false;
	}
	if (net_addr_parse(host, port, &sa, &sa_len, NULL) < 0)
		return false;
	net_addr_from((const struct sockaddr *)&sa, out);
	return true;
}

static int parse_port(const char *text, const char *whole, uint16_t *out, struct err *e)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || port == 0 || port > 65535)
		return err_set(e, "\"%s\": the port has to be 1 to 65535", whole);
	*out = (uint16_t)port;
	return 0;
}

int xmpp_override_parse(const char *text, struct xmpp_override *out, struct err *e)
{
	const char *equals = strchr(text, '='), *to = equals ? equals + 1 : "", *colon;
	struct str host;

	*out = (struct xmpp_override){ 0 };
	if (!equals)
		return err_set(e, "\"%s\": domain=host:port or domain=" DIRECT "host:port is wanted", text);
	if (!xmpp_domain_ascii(str_make(text, (size_t)(equals - text)), out->domain))
		return err_set(e, "\"%s\": what stands before '=' is no domain", text);
	out->direct_tls = strncmp(to, DIRECT, strlen(DIRECT)) == 0;
	out->port = out->direct_tls ? XMPP_PORT_DIRECT : XMPP_PORT;
	if (out->direct_tls)
		to += strlen(DIRECT);
	/* The colons of an IPv6 address stand in brackets. */
	colon = strchr(to[0] == '[' ? to + strcspn(to, "]") : to, ':');
	host = colon ? str_make(to, (size_t)(colon - to)) : str_from(to);
	if (!xmpp_domain_ascii(host, out->host))
		return err_set(e, "\"%s\": a host name, an IPv4 address or an IPv6 address in [ ] is wanted behind '='", text);
	return colon ? parse_port(colon + 1, text, &out->port, e) : 0;
}
