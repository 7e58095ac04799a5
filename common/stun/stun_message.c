/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stun/stun_message.h"

#include "common/stun/stun_bytes.h"
#include "common/stun/stun_integrity.h"

#define NOT_OURS (-1)

/* How long the value of each may be. */
static const struct {
	uint16_t type, min, max;
} known[STUN_ATTRS] = {
	[STUN_A_CHANGE_REQUEST] = { STUN_T_CHANGE_REQUEST, 4, 4 },
	[STUN_A_USERNAME] = { STUN_T_USERNAME, 1, STUN_NAME_MAX },
	[STUN_A_USERHASH] = { STUN_T_USERHASH, 32, 32 },
	[STUN_A_REALM] = { STUN_T_REALM, 0, STUN_NAME_MAX },
	[STUN_A_NONCE] = { STUN_T_NONCE, 0, STUN_NAME_MAX },
	[STUN_A_PASSWORD_ALGORITHM] = { STUN_T_PASSWORD_ALGORITHM, 4, 64 },
	[STUN_A_PASSWORD_ALGORITHMS] = { STUN_T_PASSWORD_ALGORITHMS, 4, 256 },
	[STUN_A_INTEGRITY] = { STUN_T_MESSAGE_INTEGRITY, 20, 20 },
	/* TURN does not permit truncation (RFC 8489 section 14.6). */
	[STUN_A_INTEGRITY_SHA256] = { STUN_T_MESSAGE_INTEGRITY_SHA256, 32, 32 },
	[STUN_A_FINGERPRINT] = { STUN_T_FINGERPRINT, 4, 4 },
	[STUN_A_CHANNEL_NUMBER] = { STUN_T_CHANNEL_NUMBER, 4, 4 },
	[STUN_A_LIFETIME] = { STUN_T_LIFETIME, 4, 4 },
	[STUN_A_XOR_PEER_ADDRESS] = { STUN_T_XOR_PEER_ADDRESS, 8, 20 },
	[STUN_A_XOR_MAPPED_ADDRESS] = { STUN_T_XOR_MAPPED_ADDRESS, 8, 20 },
	[STUN_A_DATA] = { STUN_T_DATA, 0, UINT16_MAX },
	[STUN_A_REQUESTED_FAMILY] = { STUN_T_REQUESTED_ADDRESS_FAMILY, 4, 4 },
	[STUN_A_ADDITIONAL_FAMILY] = { STUN_T_ADDITIONAL_ADDRESS_FAMILY, 4, 4 },
	[STUN_A_EVEN_PORT] = { STUN_T_EVEN_PORT, 1, 1 },
	[STUN_A_REQUESTED_TRANSPORT] = { STUN_T_REQUESTED_TRANSPORT, 4, 4 },
	[STUN_A_DONT_FRAGMENT] = { STUN_T_DONT_FRAGMENT, 0, 0 },
	[STUN_A_RESERVATION_TOKEN] = { STUN_T_RESERVATION_TOKEN, 8, 8 },
	[STUN_A_PADDING] = { STUN_T_PADDING, 0, UINT16_MAX },
	[STUN_A_RESPONSE_PORT] = { STUN_T_RESPONSE_PORT, 2, 4 },
	[STUN_A_CONNECTION_ID] = { STUN_T_CONNECTION_ID, 4, 4 },
	/* Of any server (RFC 8016 section 3.3). */
	[STUN_A_MOBILITY_TICKET] = { STUN_T_MOBILITY_TICKET, 0, UINT16_MAX },
};

enum stun_kind stun_kind(uint8_t first)
{
	if (first <= 3)
		return STUN_KIND_MESSAGE;
	return first >= 64 && first <= 127 ? STUN_KIND_CHANNEL : STUN_KIND_OTHER;
}

static int attr_of(uint16_t type)
{
	for (int i = 0; i < STUN_ATTRS; i++) {
		if (known[i].type == type)
			return i;
	}
	return NOT_OURS;
}

static bool read_header(struct stun_message *m, struct str bytes)
{
	const uint8_t *p = (const uint8_t *)bytes.p;
	uint16_t type;

	if (bytes.n < STUN_HEADER_SIZE || bytes.n % 4 != 0 || bytes.n > STUN_HEADER_SIZE + UINT16_MAX)
		return false;
	type = stun_get16(p);
	if (type & 0xC000 || stun_get16(p + 2) != bytes.n - STUN_HEADER_SIZE || stun_get32(p + 4) != STUN_COOKIE)
		return false;
	m->bytes = bytes;
	m->id = p + 8;
	/* M11 to M7, C1, M6 to M4, C0, M3 to M0 (RFC 8489 section 5). */
	m->method = (uint16_t)((type & 0x000F) | (type & 0x00E0) >> 1 | (type & 0x3E00) >> 2);
	m->cls = (uint8_t)((type & 0x0010) >> 4 | (type & 0x0100) >> 7);
	m->has = 0;
	m->unknown_count = 0;
	return true;
}

static void note_unknown(struct stun_message *m, uint16_t type)
{
	if (type < 0x8000 && m->unknown_count < STUN_UNKNOWN_MAX)
		m->unknown[m->unknown_count++] = type;
}

/* What may follow a MESSAGE-INTEGRITY, or MESSAGE-INTEGRITY-SHA256. */
static bool is_protected(const struct stun_message *m, int attr)
{
	if (attr == STUN_A_FINGERPRINT)
		return true;
	if (stun_has(m, STUN_A_INTEGRITY_SHA256))
		return false;
	return !stun_has(m, STUN_A_INTEGRITY) || attr == STUN_A_INTEGRITY_SHA256;
}

static bool take(struct stun_message *m, uint16_t type, struct str value)
{
	int attr = attr_of(type);

	if (!is_protected(m, attr))
		return true;
	if (attr == NOT_OURS) {
		note_unknown(m, type);
		return true;
	}
	if (value.n < known[attr].min || value.n > known[attr].max)
		return false;
	if (stun_has(m, (enum stun_attr)attr))
		return true;
	m->attr[attr] = value;
	m->has |= 1u << attr;
	return true;
}

bool stun_message_read(struct stun_message *m, struct str bytes)
{
	size_t at = STUN_HEADER_SIZE;
	unsigned count = 0;

	if (!read_header(m, bytes))
		return false;
	while (at < bytes.n) {
		const uint8_t *p = (const uint8_t *)bytes.p + at;
		size_t n = stun_get16(p + 2);

		/* The header is whole, since everything is a multiple of four. */
		if (stun_padded(n) > bytes.n - at - 4 || ++count > STUN_ATTRIBUTES_MAX || stun_has(m, STUN_A_FINGERPRINT))
			return false;
		if (!take(m, stun_get16(p), str_make(p + 4, n)))
			return false;
		at += 4 + stun_padded(n);
	}
	return !stun_has(m, STUN_A_FINGERPRINT) || stun_fingerprint_ok(m);
}

uint16_t stun_u16(const struct stun_message *m, enum stun_attr a)
{
	return stun_get16((const uint8_t *)m->attr[a].p);
}

uint32_t stun_u32(const struct stun_message *m, enum stun_attr a)
{
	return stun_get32((const uint8_t *)m->attr[a].p);
}

bool stun_xor_address_read(struct str value, const uint8_t id[STUN_ID_SIZE], struct stun_address *out)
{
	const uint8_t *p = (const uint8_t *)value.p;
	uint8_t mask[16];
	size_t n;

	if (value.n < 8 || (p[1] != STUN_FAMILY_V4 && p[1] != STUN_FAMILY_V6))
		return false;
	n = p[1] == STUN_FAMILY_V4 ? 4 : 16;
	if (value.n != 4 + n)
		return false;
	*out = (struct stun_address){ .addr = { .ip = { [10] = 0xff, [11] = 0xff } }, .family = p[1] };
	stun_xor_mask(mask, id);
	for (size_t i = 0; i < n; i++)
		out->addr.ip[16 - n + i] = p[4 + i] ^ mask[i];
	out->addr.port = stun_get16(p + 2) ^ (uint16_t)(STUN_COOKIE >> 16);
	return true;
}

bool stun_next_peer(const struct stun_message *m, size_t *at, struct stun_address *out)
{
	const uint8_t *start = (const uint8_t *)m->bytes.p;
	size_t pos = *at ? *at : STUN_HEADER_SIZE;

	while (pos < m->bytes.n) {
		uint16_t type = stun_get16(start + pos);
		size_t n = stun_get16(start + pos + 2);
		struct str value = str_make(start + pos + 4, n);

		if (type == STUN_T_MESSAGE_INTEGRITY || type == STUN_T_MESSAGE_INTEGRITY_SHA256)
			return false;
		pos += 4 + stun_padded(n);
		if (type != STUN_T_XOR_PEER_ADDRESS)
			continue;
		*at = pos;
		/* A second one of a bad length passed stun_message_read, which looks at the first. */
		if (!stun_xor_address_read(value, m->id, out))
			*out = (struct stun_address){ .family = 0 };
		return true;
	}
	return false;
}
