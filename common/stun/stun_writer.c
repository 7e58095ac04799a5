/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stun/stun_writer.h"

#include "common/crypto/digest.h"
#include "common/stun/stun_bytes.h"

uint16_t stun_type_field(enum stun_class cls, uint16_t method)
{
	return (uint16_t)((method & 0x000F) | (method & 0x0070) << 1 | (method & 0x0F80) << 2 | (cls & 1) << 4 | (cls & 2) << 7);
}

static void set_length(struct stun_writer *w, size_t end)
{
	stun_set16(w->p + 2, (uint16_t)(end - STUN_HEADER_SIZE));
}

static void put_header(uint8_t *p, enum stun_class cls, uint16_t method, const uint8_t id[STUN_ID_SIZE])
{
	stun_set16(p, stun_type_field(cls, method));
	stun_set32(p + 4, STUN_COOKIE);
	memcpy(p + 8, id, STUN_ID_SIZE);
}

void stun_begin(struct stun_writer *w, void *p, size_t cap, enum stun_class cls, uint16_t method, const uint8_t id[STUN_ID_SIZE])
{
	*w = (struct stun_writer){ .p = p, .n = STUN_HEADER_SIZE, .cap = cap };
	put_header(w->p, cls, method, id);
	set_length(w, w->n);
}

/* Where the value goes; NULL when there is no room. */
static uint8_t *add(struct stun_writer *w, uint16_t type, size_t n)
{
	size_t size = 4 + stun_padded(n);
	uint8_t *p = w->p + w->n;

	if (w->overflow || n > UINT16_MAX || size > w->cap - w->n || w->n + size - STUN_HEADER_SIZE > UINT16_MAX) {
		w->overflow = true;
		return NULL;
	}
	memset(p, 0, size);
	stun_set16(p, type);
	stun_set16(p + 2, (uint16_t)n);
	w->n += size;
	set_length(w, w->n);
	return p + 4;
}

void stun_put(struct stun_writer *w, uint16_t type, struct str value)
{
	uint8_t *p = add(w, type, value.n);

	if (p && value.n)
		memcpy(p, value.p, value.n);
}

void stun_put_u32(struct stun_writer *w, uint16_t type, uint32_t value)
{
	uint8_t *p = add(w, type, 4);

	if (p)
		stun_set32(p, value);
}

/* The value of an address attribute, at most 20 bytes. */
static size_t address_value(uint8_t *out, const struct net_addr *a, const uint8_t mask[16])
{
	bool v4 = net_addr_is_v4(a);
	size_t n = v4 ? 4 : 16;

	out[0] = 0;
	out[1] = v4 ? STUN_FAMILY_V4 : STUN_FAMILY_V6;
	stun_set16(out + 2, a->port ^ stun_get16(mask));
	for (size_t i = 0; i < n; i++)
		out[4 + i] = a->ip[16 - n + i] ^ mask[i];
	return 4 + n;
}

static void put_masked(struct stun_writer *w, uint16_t type, const struct net_addr *a, const uint8_t mask[16])
{
	uint8_t value[20];
	size_t n = address_value(value, a, mask);

	stun_put(w, type, str_make(value, n));
}

void stun_put_address(struct stun_writer *w, uint16_t type, const struct net_addr *a)
{
	static const uint8_t nothing[16];

	put_masked(w, type, a, nothing);
}

void stun_put_xor_address(struct stun_writer *w, uint16_t type, const struct net_addr *a)
{
	uint8_t mask[16];

	stun_xor_mask(mask, w->p + 8);
	put_masked(w, type, a, mask);
}

void stun_put_error(struct stun_writer *w, uint16_t code)
{
	const uint8_t value[4] = { 0, 0, (uint8_t)(code / 100), (uint8_t)(code % 100) };

	stun_put(w, STUN_T_ERROR_CODE, str_make(value, sizeof(value)));
}

void stun_put_address_error(struct stun_writer *w, uint8_t family, uint16_t code)
{
	const uint8_t value[4] = { family, 0, (uint8_t)(code / 100), (uint8_t)(code % 100) };

	stun_put(w, STUN_T_ADDRESS_ERROR_CODE, str_make(value, sizeof(value)));
}

void stun_put_unknown(struct stun_writer *w, const uint16_t *types, size_t count)
{
	uint8_t *p = add(w, STUN_T_UNKNOWN_ATTRIBUTES, 2 * count);

	for (size_t i = 0; p && i < count; i++)
		stun_set16(p + 2 * i, types[i]);
}

void stun_sign(struct stun_writer *w, const struct stun_key *key, bool sha256)
{
	enum digest digest = sha256 ? DIGEST_SHA256 : DIGEST_SHA1;
	size_t before = w->n, n = digest_size(digest);
	uint8_t *p = add(w, sha256 ? STUN_T_MESSAGE_INTEGRITY_SHA256 : STUN_T_MESSAGE_INTEGRITY, n), mac[DIGEST_MAX];

	if (!p)
		return;
	digest_hmac(digest, str_make(key->bytes, key->n), str_make(w->p, before), mac);
	memcpy(p, mac, n);
}

void stun_put_fingerprint(struct stun_writer *w)
{
	size_t before = w->n;
	uint8_t *p = add(w, STUN_T_FINGERPRINT, 4);

	if (p)
		stun_set32(p, stun_fingerprint(w->p, before));
}

uint8_t *stun_data_in_place(uint8_t *data, size_t n, const struct net_addr *peer, const uint8_t id[STUN_ID_SIZE], size_t *out_n)
{
	size_t header = net_addr_is_v4(peer) ? STUN_DATA_HEADER_V4 : STUN_DATA_HEADER_V6, address;
	uint8_t *p = data - header, mask[16];

	put_header(p, STUN_INDICATION, STUN_DATA, id);
	stun_set16(p + 2, (uint16_t)(header - STUN_HEADER_SIZE + stun_padded(n)));
	stun_xor_mask(mask, id);
	address = address_value(p + STUN_HEADER_SIZE + 4, peer, mask);
	stun_set16(p + STUN_HEADER_SIZE, STUN_T_XOR_PEER_ADDRESS);
	stun_set16(p + STUN_HEADER_SIZE + 2, (uint16_t)address);
	stun_set16(data - 4, STUN_T_DATA);
	stun_set16(data - 2, (uint16_t)n);
	memset(data + n, 0, stun_padded(n) - n);
	*out_n = header + stun_padded(n);
	return p;
}
