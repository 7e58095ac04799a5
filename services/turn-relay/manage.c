/* SPDX-License-Identifier: Apache-2.0
 *
 * manage: what a client does with its allocation: Refresh, CreatePermission, ChannelBind (RFC 8656 sections 8, 10, 12). */
#include "services/turn-relay/mobility.h"

void turn_refresh(struct request *r)
{
	uint32_t seconds = request_lifetime(r);
	int family = -1;

	if (stun_has(r->m, STUN_A_REQUESTED_FAMILY)) {
		family = request_family(r, STUN_A_REQUESTED_FAMILY);
		if (family < 0 || !r->a->relayed[family]) {
			request_refuse(r, STUN_PEER_FAMILY_MISMATCH);
			return;
		}
	}
	request_begin(r);
	stun_put_u32(&r->answer, STUN_T_LIFETIME, seconds);
	if (seconds > 0 && r->a->roaming)
		mobility_put_ticket(r, r->a, worker_now(r->w) + (uint64_t)seconds * 1000);
	request_reply(r);
	if (seconds > 0)
		allocation_set_lifetime(r->a, family, seconds);
	else if (family < 0)
		allocation_free(r->a);
	else
		allocation_drop_family(r->a, family);
}

enum stun_code request_check_peer(const struct request *r, const struct stun_address *peer, bool with_port)
{
	enum peer_verdict v = peer_policy_check(&r->w->shared->policy, peer, with_port);

	if (v == PEER_NO_ADDRESS)
		return STUN_BAD_REQUEST;
	if (!r->a->relayed[peer->family == STUN_FAMILY_V4 ? RELAYED_V4 : RELAYED_V6])
		return STUN_PEER_FAMILY_MISMATCH;
	return v == PEER_ALLOWED ? (enum stun_code)0 : STUN_FORBIDDEN;
}

/* All of them or none. */
void turn_create_permission(struct request *r)
{
	uint16_t max = (uint16_t)r->w->shared->config->permissions;
	struct stun_address peer;
	size_t at = 0;
	enum stun_code code = STUN_BAD_REQUEST; /* without a peer */

	while (stun_next_peer(r->m, &at, &peer)) {
		code = request_check_peer(r, &peer, false);
		if (code)
			break;
	}
	for (at = 0; !code && stun_next_peer(r->m, &at, &peer);) {
		if (!peers_permit(&r->a->peers, &peer.addr, worker_now(r->w), max))
			code = STUN_INSUFFICIENT_CAPACITY;
	}
	if (code) {
		request_refuse(r, code);
		return;
	}
	request_begin(r);
	request_reply(r);
}

static enum stun_code bind_channel(struct request *r)
{
	const struct turn_config *c = r->w->shared->config;
	const struct stun_message *m = r->m;
	struct stun_address peer;
	enum stun_code code;
	uint16_t number;

	if (r->a->tcp)
		return STUN_FORBIDDEN;
	if (!stun_has(m, STUN_A_CHANNEL_NUMBER) || !stun_has(m, STUN_A_XOR_PEER_ADDRESS) ||
	    !stun_xor_address_read(m->attr[STUN_A_XOR_PEER_ADDRESS], m->id, &peer))
		return STUN_BAD_REQUEST;
	number = stun_u16(m, STUN_A_CHANNEL_NUMBER);
	if (number < STUN_CHANNEL_FIRST || number > (c->legacy_channels ? STUN_CHANNEL_LAST_LEGACY : STUN_CHANNEL_LAST))
		return STUN_BAD_REQUEST;
	code = request_check_peer(r, &peer, true);
	if (code)
		return code;
	switch (peers_bind(&r->a->peers, number, &peer.addr, worker_now(r->w), (uint16_t)c->channels, (uint16_t)c->permissions)) {
	case PEERS_BOUND:
		return (enum stun_code)0;
	case PEERS_CONFLICT:
		return STUN_BAD_REQUEST;
	default:
		return STUN_INSUFFICIENT_CAPACITY;
	}
}

void turn_channel_bind(struct request *r)
{
	enum stun_code code = bind_channel(r);

	if (code) {
		request_refuse(r, code);
		return;
	}
	request_begin(r);
	request_reply(r);
}
