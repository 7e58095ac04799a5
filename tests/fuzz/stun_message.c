/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: STUN messages, and the peers that they name. Properties:
 * - what is read lies within the bytes, with the lengths that its type may have;
 * - a message with a fingerprint is none any more when a bit is flipped;
 * - addresses come out of the writer as they went in;
 * - a message signed with a key is verified with that key, and with no other;
 * - no peer is allowed that is in the IPv4 networks nobody may reach, however it is spelt. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/net/public.h"
#include "common/stun/peer_policy.h"
#include "common/stun/stun_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_values(const struct stun_message *m)
{
	for (int a = 0; a < STUN_ATTRS; a++) {
		const struct str *v = &m->attr[a];

		if (!stun_has(m, (enum stun_attr)a))
			continue;
		require(v->p >= m->bytes.p + STUN_HEADER_SIZE + 4 && v->p + v->n <= m->bytes.p + m->bytes.n);
	}
	require(m->unknown_count <= STUN_UNKNOWN_MAX && m->method < 0x1000 && m->cls < 4);
}

/* Does an address carry this IPv4 address in one of the places where translators look? */
static bool carries_loopback(const struct net_addr *a)
{
	static const size_t places[] = { 2, 6, 12 };

	for (size_t i = 0; i < 3; i++) {
		if (a->ip[places[i]] == 127 && (a->ip[0] == 0 || (a->ip[0] == 0x20 && a->ip[1] == 2)))
			return true;
	}
	return false;
}

static void check_peers(const struct stun_message *m)
{
	static const struct peer_policy policy;
	struct stun_address peer, again;
	size_t at = 0, count = 0;

	while (stun_next_peer(m, &at, &peer)) {
		enum peer_verdict verdict = peer_policy_check(&policy, &peer, true);
		uint8_t bytes[64];
		struct stun_writer w;
		struct stun_message copy;
		size_t start = 0;

		require(++count <= STUN_ATTRIBUTES_MAX);
		require(verdict != PEER_ALLOWED || (net_addr_is_public(&peer.addr) && !carries_loopback(&peer.addr) && peer.addr.port));
		if (peer.family == 0)
			continue;
		stun_begin(&w, bytes, sizeof(bytes), STUN_INDICATION, STUN_SEND, m->id);
		stun_put_xor_address(&w, STUN_T_XOR_PEER_ADDRESS, &peer.addr);
		require(!w.overflow && stun_message_read(&copy, str_make(bytes, w.n)) && stun_next_peer(&copy, &start, &again));
		require(memcmp(&again.addr, &peer.addr, sizeof(peer.addr)) == 0);
	}
}

static void check_signed(const struct stun_message *m, bool sha256)
{
	struct stun_key key = { .n = 16 }, other = { .n = 16, .bytes = { 1 } };
	uint8_t bytes[2048];
	struct stun_writer w;
	struct stun_message again;

	stun_begin(&w, bytes, sizeof(bytes), STUN_SUCCESS, m->method, m->id);
	if (stun_has(m, STUN_A_DATA))
		stun_put(&w, STUN_T_DATA, m->attr[STUN_A_DATA]);
	stun_sign(&w, &key, sha256);
	stun_put_fingerprint(&w);
	if (w.overflow)
		return;
	require(stun_message_read(&again, str_make(bytes, w.n)) && stun_integrity_ok(&again, &key) && !stun_integrity_ok(&again, &other));
	require(again.method == m->method && again.cls == STUN_SUCCESS);
	bytes[w.n / 2] ^= 4;
	require(!stun_message_read(&again, str_make(bytes, w.n)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stun_key key = { .n = 16 };
	struct stun_message m;
	char *copy = mem_memdup(data, size);

	if (stun_message_read(&m, str_make(copy, size))) {
		check_values(&m);
		check_peers(&m);
		stun_integrity_ok(&m, &key);
		check_signed(&m, size & 1);
	}
	mem_free(copy);
	return 0;
}
