/* SPDX-License-Identifier: Apache-2.0
 *
 * Sections cited are those of HAProxy's doc/proxy-protocol.txt. */
#include "common/net/proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "common/base/mem.h"
#include "common/net/proxy_protocol_v2.h"

#define V1_MAX 107u /* with CRLF; section 2.1 */

static const char v1_signature[] = "PROXY ";
const uint8_t proxy_v2_signature[PROXY_V2_SIGNATURE] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

static bool bad(struct proxy_reader *r, const char *why)
{
	r->why = why;
	return false;
}

/* --- where it ends ------------------------------------------------------------------------------------------------ */

static bool is_v1(const struct proxy_reader *r)
{
	return r->p[0] == (uint8_t)v1_signature[0];
}

/* The byte at `at` has come. */
static enum proxy_verdict take_v1(const struct proxy_reader *r, size_t at)
{
	uint8_t b = r->p[at], before = at > 0 ? r->p[at - 1] : 0;

	if (at < sizeof(v1_signature) - 1)
		return b == (uint8_t)v1_signature[at] ? PROXY_MORE : PROXY_BAD;
	if ((b == '\n') != (before == '\r'))
		return PROXY_BAD;
	if (b == '\n')
		return PROXY_DONE;
	return at + 1 < V1_MAX ? PROXY_MORE : PROXY_BAD;
}

static enum proxy_verdict take_v2(const struct proxy_reader *r, size_t at)
{
	size_t size;

	if (at < PROXY_V2_SIGNATURE)
		return r->p[at] == proxy_v2_signature[at] ? PROXY_MORE : PROXY_BAD;
	if (at + 1 < PROXY_V2_FIXED)
		return PROXY_MORE;
	size = PROXY_V2_FIXED + ((size_t)r->p[14] << 8 | r->p[15]);
	if (size > PROXY_HEADER_MAX)
		return PROXY_BAD;
	return at + 1 < size ? PROXY_MORE : PROXY_DONE;
}

size_t proxy_reader_feed(struct proxy_reader *r, const void *p, size_t n, enum proxy_verdict *out_verdict)
{
	const uint8_t *in = p;
	size_t used = 0;

	*out_verdict = PROXY_MORE;
	if (!r->p)
		r->p = mem_alloc(PROXY_HEADER_MAX);
	while (used < n && *out_verdict == PROXY_MORE && r->n < PROXY_HEADER_MAX) {
		size_t at = r->n++;

		r->p[at] = in[used++];
		*out_verdict = is_v1(r) ? take_v1(r, at) : take_v2(r, at);
	}
	if (*out_verdict == PROXY_BAD)
		r->why = "no PROXY header";
	return used;
}

void proxy_reader_fini(struct proxy_reader *r)
{
	mem_free(r->p);
	*r = (struct proxy_reader){ 0 };
}

/* --- version 1 ---------------------------------------------------------------------------------------------------- */

/* Up to the next space, of which there is one. */
static struct str word(struct str *rest)
{
	const char *space = rest->n > 0 ? memchr(rest->p, ' ', rest->n) : NULL;
	struct str w = space ? str_make(rest->p, (size_t)(space - rest->p)) : *rest;
	size_t used = space ? w.n + 1 : w.n;

	*rest = str_make(rest->p + used, rest->n - used);
	return w;
}

static bool read_address(struct str s, int family, struct net_addr *out)
{
	char text[NET_ADDR_TEXT_MAX];
	struct sockaddr_storage sa = { .ss_family = (sa_family_t)family };
	void *to = family == AF_INET ? (void *)&((struct sockaddr_in *)&sa)->sin_addr : (void *)&((struct sockaddr_in6 *)&sa)->sin6_addr;

	if (s.n >= sizeof(text) || memchr(s.p, '\0', s.n))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(family, text, to) != 1)
		return false;
	net_addr_from((struct sockaddr *)&sa, out);
	return true;
}

static bool read_port(struct str s, struct net_addr *out)
{
	uint32_t port = 0;

	if (s.n == 0 || s.n > 5 || (s.p[0] == '0' && s.n > 1))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		port = port * 10 + (uint32_t)(s.p[i] - '0');
	}
	out->port = (uint16_t)port;
	return port <= 65535;
}

static bool parse_v1(struct proxy_reader *r, struct proxy_header *out)
{
	struct str line = str_make(r->p, r->n - 2), family, source, destination;
	int af;

	word(&line); /* PROXY */
	family = word(&line);
	if (str_is(family, "UNKNOWN"))
		return true; /* whatever follows */
	af = str_is(family, "TCP4") ? AF_INET : str_is(family, "TCP6") ? AF_INET6 : AF_UNSPEC;
	if (af == AF_UNSPEC)
		return bad(r, "an unknown protocol");
	source = word(&line);
	destination = word(&line);
	if (source.n == 0 || destination.n == 0 || !read_address(source, af, &out->source) ||
	    !read_address(destination, af, &out->destination))
		return bad(r, "an address that is none");
	if (!read_port(word(&line), &out->source) || !read_port(line, &out->destination))
		return bad(r, "a port that is none");
	out->told = true;
	return true;
}

bool proxy_reader_parse(struct proxy_reader *r, struct proxy_header *out)
{
	*out = (struct proxy_header){ 0 };
	return is_v1(r) ? parse_v1(r, out) : proxy_v2_parse(r, out);
}
