/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/peers.h"

#include <string.h>

#include "common/base/mem.h"

#define FIRST_CAP 4u

void peers_fini(struct peers *p)
{
	mem_free(p->permissions);
	mem_free(p->channels);
	*p = (struct peers){ 0 };
}

static bool same_address(const struct net_addr *a, const struct net_addr *b)
{
	return a->port == b->port && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

static struct permission *find(const struct peers *p, const uint8_t ip[16])
{
	for (uint16_t i = 0; i < p->permission_count; i++) {
		if (memcmp(p->permissions[i].ip, ip, 16) == 0)
			return &p->permissions[i];
	}
	return NULL;
}

/* A new place, or one that nobody needs any more. NULL: none within max. */
static struct permission *new_permission(struct peers *p, uint64_t now_ms, uint16_t max)
{
	for (uint16_t i = 0; i < p->permission_count; i++) {
		if (p->permissions[i].until_ms <= now_ms)
			return &p->permissions[i];
	}
	if (p->permission_count >= max)
		return NULL;
	if (p->permission_count == p->permission_cap) {
		p->permission_cap = (uint16_t)(p->permission_cap ? 2 * p->permission_cap : FIRST_CAP);
		p->permissions = mem_realloc(p->permissions, p->permission_cap * sizeof(*p->permissions));
	}
	return &p->permissions[p->permission_count++];
}

static struct permission *permit(struct peers *p, const struct net_addr *peer, uint64_t now_ms, uint16_t max)
{
	struct permission *it = find(p, peer->ip);

	if (!it)
		it = new_permission(p, now_ms, max);
	if (!it)
		return NULL;
	memcpy(it->ip, peer->ip, sizeof(it->ip));
	it->until_ms = now_ms + PEERS_PERMISSION_MS;
	return it;
}

bool peers_permit(struct peers *p, const struct net_addr *peer, uint64_t now_ms, uint16_t max)
{
	return permit(p, peer, now_ms, max) != NULL;
}

bool peers_permitted(const struct peers *p, const struct net_addr *peer, uint64_t now_ms)
{
	const struct permission *it = find(p, peer->ip);

	return it && it->until_ms > now_ms;
}

const struct channel *peers_by_number(const struct peers *p, uint16_t number, uint64_t now_ms)
{
	for (uint16_t i = 0; i < p->channel_count; i++) {
		if (p->channels[i].number == number)
			return p->channels[i].until_ms > now_ms ? &p->channels[i] : NULL;
	}
	return NULL;
}

/* An address whose binding has expired may stand further back under another number. */
const struct channel *peers_by_address(const struct peers *p, const struct net_addr *peer, uint64_t now_ms)
{
	for (uint16_t i = 0; i < p->channel_count; i++) {
		if (same_address(&p->channels[i].peer, peer) && p->channels[i].until_ms > now_ms)
			return &p->channels[i];
	}
	return NULL;
}

bool peers_channel_permitted(const struct peers *p, const struct channel *c, uint64_t now_ms)
{
	const struct permission *it = &p->permissions[c->permission];

	return memcmp(it->ip, c->peer.ip, sizeof(it->ip)) == 0 ? it->until_ms > now_ms : peers_permitted(p, &c->peer, now_ms);
}

/* The place of that number first, so that a number stands in one place only. */
static struct channel *new_channel(struct peers *p, uint16_t number, uint64_t now_ms, uint16_t max)
{
	for (uint16_t i = 0; i < p->channel_count; i++) {
		if (p->channels[i].number == number)
			return &p->channels[i];
	}
	for (uint16_t i = 0; i < p->channel_count; i++) {
		if (p->channels[i].until_ms <= now_ms)
			return &p->channels[i];
	}
	if (p->channel_count >= max)
		return NULL;
	if (p->channel_count == p->channel_cap) {
		p->channel_cap = (uint16_t)(p->channel_cap ? 2 * p->channel_cap : FIRST_CAP);
		p->channels = mem_realloc(p->channels, p->channel_cap * sizeof(*p->channels));
	}
	return &p->channels[p->channel_count++];
}

enum peers_bound peers_bind(struct peers *p, uint16_t number, const struct net_addr *peer, uint64_t now_ms, uint16_t max_channels,
                            uint16_t max_permissions)
{
	const struct channel *by_number = peers_by_number(p, number, now_ms), *by_address = peers_by_address(p, peer, now_ms);
	struct permission *permission;
	struct channel *c;

	if (by_number != by_address)
		return PEERS_CONFLICT;
	permission = permit(p, peer, now_ms, max_permissions);
	c = permission ? new_channel(p, number, now_ms, max_channels) : NULL;
	if (!c)
		return PEERS_FULL;
	*c = (struct channel){ .peer = *peer,
		               .number = number,
		               .permission = (uint16_t)(permission - p->permissions),
		               .until_ms = now_ms + PEERS_CHANNEL_MS };
	return PEERS_BOUND;
}

void peers_forget(struct peers *p, bool v4)
{
	for (uint16_t i = 0; i < p->permission_count; i++) {
		struct net_addr a = { .port = 0 };

		memcpy(a.ip, p->permissions[i].ip, sizeof(a.ip));
		if (net_addr_is_v4(&a) == v4)
			p->permissions[i].until_ms = 0;
	}
	for (uint16_t i = 0; i < p->channel_count; i++) {
		if (net_addr_is_v4(&p->channels[i].peer) == v4)
			p->channels[i].until_ms = 0;
	}
}

uint16_t peers_count(const struct peers *p, uint64_t now_ms, uint16_t *out_channels)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < p->permission_count; i++)
		n = (uint16_t)(n + (p->permissions[i].until_ms > now_ms));
	*out_channels = 0;
	for (uint16_t i = 0; i < p->channel_count; i++)
		*out_channels = (uint16_t)(*out_channels + (p->channels[i].until_ms > now_ms));
	return n;
}
