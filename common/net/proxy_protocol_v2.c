/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/proxy_protocol_v2.h"

#include "common/text/utf8.h"

#define NAME_MAX_BYTES   255u /* of a host name, and of a common name */
#define UNIQUE_ID_MAX    128u /* section 2.2.5 */
#define UNIX_PATH_BYTES  108u
#define CRC32C_REFLECTED 0x82f63b78u

enum { COMMAND_LOCAL = 0, COMMAND_PROXY = 1 };
enum { FAMILY_UNSPEC = 0, FAMILY_INET = 1, FAMILY_INET6 = 2, FAMILY_UNIX = 3 };
enum { PROTOCOL_UNSPEC = 0, PROTOCOL_STREAM = 1, PROTOCOL_DGRAM = 2 };

/* PP2_TYPE_ and PP2_SUBTYPE_ of the document. */
enum tlv_type {
	TLV_ALPN = 0x01,
	TLV_AUTHORITY = 0x02,
	TLV_CRC32C = 0x03,
	TLV_UNIQUE_ID = 0x05,
	TLV_SSL = 0x20,
	TLV_SSL_VERSION = 0x21,
	TLV_SSL_CN = 0x22,
};

enum { CLIENT_SSL = 1, CLIENT_CERT_CONN = 2, CLIENT_CERT_SESS = 4 };

struct walk {
	struct proxy_reader *r;
	struct proxy_header *out;
	uint32_t tlvs;
	bool summed;
};

static bool bad(struct walk *w, const char *why)
{
	w->r->why = why;
	return false;
}

/* A bit at a time: headers are short, and few have one. */
uint32_t proxy_crc32c(const uint8_t *p, size_t n)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32C_REFLECTED : 0);
	}
	return ~crc;
}

/* --- TLVs --------------------------------------------------------------------------------------------------------- */

static bool walk_tlvs(struct walk *w, struct str in, bool (*take)(struct walk *w, uint8_t type, struct str value))
{
	while (in.n > 0) {
		const uint8_t *p = (const uint8_t *)in.p;
		size_t n = in.n < 3 ? 0 : (size_t)p[1] << 8 | p[2];

		if (in.n < 3 || n > in.n - 3)
			return bad(w, "a TLV is cut short");
		if (++w->tlvs > PROXY_TLVS_MAX)
			return bad(w, "too many TLVs");
		if (!take(w, p[0], str_make(in.p + 3, n)))
			return false;
		in = str_make(in.p + 3 + n, in.n - 3 - n);
	}
	return true;
}

/* Text for people and logs. */
static bool take_name(struct walk *w, struct str value, struct str *out)
{
	if (value.n > NAME_MAX_BYTES || memchr(value.p, '\0', value.n) || !utf8_valid(value))
		return bad(w, "a name that is none");
	*out = value;
	return true;
}

/* Section 2.2.3: over the whole header, with zeros in this place. A second one could not be true. */
static bool take_crc(struct walk *w, struct str value)
{
	uint8_t *at = w->r->p + ((const uint8_t *)value.p - w->r->p);
	uint32_t said;

	if (value.n != 4 || w->summed)
		return bad(w, "a checksum that is none");
	w->summed = true;
	said = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
	memset(at, 0, 4);
	return proxy_crc32c(w->r->p, w->r->n) == said ? true : bad(w, "the checksum is wrong");
}

static bool take_ssl_part(struct walk *w, uint8_t type, struct str value)
{
	if (type == TLV_SSL_CN)
		return take_name(w, value, &w->out->client_cn);
	if (type == TLV_SSL_VERSION)
		return take_name(w, value, &w->out->tls_version);
	return true;
}

/* Section 2.2.6: a byte of flags, whether the certificate was verified (0: it was), and TLVs. */
static bool take_ssl(struct walk *w, struct str value)
{
	const uint8_t *p = (const uint8_t *)value.p;

	if (value.n < 5)
		return bad(w, "a TLV is cut short");
	w->out->tls = p[0] & CLIENT_SSL;
	w->out->client_verified = w->out->tls && (p[0] & (CLIENT_CERT_CONN | CLIENT_CERT_SESS)) && !(p[1] | p[2] | p[3] | p[4]);
	return walk_tlvs(w, str_make(value.p + 5, value.n - 5), take_ssl_part);
}

static bool take(struct walk *w, uint8_t type, struct str value)
{
	switch (type) {
	case TLV_ALPN:
		w->out->alpn = value;
		return true;
	case TLV_AUTHORITY:
		return take_name(w, value, &w->out->authority);
	case TLV_CRC32C:
		return take_crc(w, value);
	case TLV_UNIQUE_ID:
		w->out->unique_id = value;
		return value.n <= UNIQUE_ID_MAX ? true : bad(w, "a unique id is too long");
	case TLV_SSL:
		return take_ssl(w, value);
	default:
		return true; /* NOOP, and what is not known here */
	}
}

/* --- addresses ---------------------------------------------------------------------------------------------------- */

static void read_address(struct net_addr *out, const uint8_t *ip, size_t n, const uint8_t *port)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	memcpy(out->ip, mapped, sizeof(mapped));
	memcpy(out->ip + 16 - n, ip, n);
	out->port = (uint16_t)(port[0] << 8 | port[1]);
}

/* Source and destination, then their ports. */
static void read_addresses(struct proxy_header *out, const uint8_t *p, size_t n)
{
	read_address(&out->source, p, n, p + 2 * n);
	read_address(&out->destination, p + n, n, p + 2 * n + 2);
	out->told = true;
}

bool proxy_v2_parse(struct proxy_reader *r, struct proxy_header *out)
{
	static const size_t sizes[] = { 0, 2 * 4 + 4, 2 * 16 + 4, 2 * UNIX_PATH_BYTES };
	uint8_t version = r->p[12] >> 4, command = r->p[12] & 15, family = r->p[13] >> 4, protocol = r->p[13] & 15;
	struct walk w = { .r = r, .out = out };
	size_t n = r->n - PROXY_V2_FIXED;

	if (version != 2 || command > COMMAND_PROXY)
		return bad(&w, "an unknown version or command");
	/* The family of LOCAL is ignored, with all that follows; and so is what follows an unknown one, since it may be an address of any kind. */
	if (command == COMMAND_LOCAL)
		return true;
	if (family > FAMILY_UNIX || protocol > PROTOCOL_DGRAM)
		return bad(&w, "an unknown protocol");
	if (family == FAMILY_UNSPEC || protocol == PROTOCOL_UNSPEC)
		return true;
	if (n < sizes[family])
		return bad(&w, "the addresses are cut short");
	if (protocol == PROTOCOL_STREAM && family != FAMILY_UNIX)
		read_addresses(out, r->p + PROXY_V2_FIXED, family == FAMILY_INET ? 4 : 16);
	return walk_tlvs(&w, str_make(r->p + PROXY_V2_FIXED + sizes[family], n - sizes[family]), take);
}
