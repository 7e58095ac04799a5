/* SPDX-License-Identifier: Apache-2.0 */
#include "services/proxy65/socks5.h"

#include <string.h>

#define VERSION       5
#define NO_AUTH       0x00
#define NO_METHOD     0xff
#define CONNECT       1
#define ATYP_IPV4     1
#define ATYP_DOMAIN   3
#define ATYP_IPV6     4
#define REQUEST_FIXED 4 /* VER CMD RSV ATYP */

static enum socks5_verdict refuse(struct socks5 *s, const char *why)
{
	s->why = why;
	return SOCKS5_REFUSE;
}

/* Bytes of the message in hand as far as it can be told; what is there is shorter. */
static size_t wanted(const struct socks5 *s)
{
	if (!s->greeted)
		return s->in_n < 2 ? s->in_n + 1 : 2 + (size_t)s->in[1];
	if (s->in_n <= REQUEST_FIXED)
		return s->in_n + 1;
	switch (s->in[3]) {
	case ATYP_DOMAIN:
		return REQUEST_FIXED + 1 + (size_t)s->in[4] + 2;
	case ATYP_IPV4:
		return REQUEST_FIXED + 4 + 2;
	default:
		return REQUEST_FIXED + 16 + 2;
	}
}

/* VER NMETHODS METHODS */
static enum socks5_verdict greeting(struct socks5 *s)
{
	bool offered = memchr(s->in + 2, NO_AUTH, s->in[1]) != NULL;

	s->out[0] = VERSION;
	s->out[1] = offered ? NO_AUTH : NO_METHOD;
	s->out_n = 2;
	s->in_n = 0;
	s->greeted = true;
	return offered ? SOCKS5_ANSWER : refuse(s, "offers no method without authentication");
}

static bool take_hash(struct socks5 *s)
{
	if (s->in[4] != SOCKS5_DST)
		return false;
	for (size_t i = 0; i < SOCKS5_DST; i++) {
		char c = (char)s->in[5 + i];

		if (c >= 'A' && c <= 'F')
			c = (char)(c - 'A' + 'a');
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		s->dst[i] = c;
	}
	s->dst[SOCKS5_DST] = '\0';
	return true;
}

/* VER CMD RSV ATYP DST.ADDR DST.PORT. The port should be 0; a host may ignore it (XEP-0065 section 10.1). */
static enum socks5_verdict request(struct socks5 *s)
{
	if (s->in[1] != CONNECT) {
		socks5_reply(s, SOCKS5_BAD_COMMAND);
		return refuse(s, "wants something else than CONNECT");
	}
	if (s->in[2] != 0) {
		socks5_reply(s, SOCKS5_FAILURE);
		return refuse(s, "uses what is reserved");
	}
	if (s->in[3] != ATYP_DOMAIN) {
		socks5_reply(s, SOCKS5_BAD_ADDRESS);
		return refuse(s, "wants an address");
	}
	if (!take_hash(s)) {
		s->dst[0] = '\0';
		socks5_reply(s, SOCKS5_NOT_ALLOWED);
		return refuse(s, "wants a name that is no hash");
	}
	return SOCKS5_REQUEST;
}

/* What is wrong already, before the message is whole. */
static bool is_bad(struct socks5 *s, enum socks5_verdict *out)
{
	uint8_t atyp;

	if (s->in[0] != VERSION) {
		*out = refuse(s, "is no SOCKS5");
		return true;
	}
	if (!s->greeted || s->in_n < REQUEST_FIXED)
		return false;
	atyp = s->in[3];
	if (atyp == ATYP_DOMAIN || atyp == ATYP_IPV4 || atyp == ATYP_IPV6)
		return false;
	/* How long it is nobody can say. */
	socks5_reply(s, SOCKS5_BAD_ADDRESS);
	*out = refuse(s, "wants an address of an unknown type");
	return true;
}

size_t socks5_feed(struct socks5 *s, const uint8_t *p, size_t n, enum socks5_verdict *out_verdict)
{
	size_t used = 0;

	*out_verdict = SOCKS5_MORE;
	s->out_n = 0;
	while (used < n) {
		s->in[s->in_n++] = p[used++];
		if (is_bad(s, out_verdict))
			return used;
		/* A length of 0 is a whole message at once. */
		if (s->in_n < 2 || s->in_n < wanted(s))
			continue;
		*out_verdict = s->greeted ? request(s) : greeting(s);
		return used;
	}
	return used;
}

void socks5_reply(struct socks5 *s, enum socks5_code code)
{
	bool domain = s->in_n > REQUEST_FIXED && s->in[3] == ATYP_DOMAIN && s->in_n == wanted(s);

	memset(s->out, 0, sizeof(s->out));
	if (domain) {
		memcpy(s->out, s->in, s->in_n);
		s->out_n = s->in_n;
	} else {
		s->out[3] = ATYP_IPV4;
		s->out_n = REQUEST_FIXED + 4 + 2;
	}
	s->out[0] = VERSION;
	s->out[1] = (uint8_t)code;
	s->out[2] = 0;
}
