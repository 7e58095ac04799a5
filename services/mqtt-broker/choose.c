/* SPDX-License-Identifier: Apache-2.0
 *
 * choose: which broker a shared subscription's message goes to (MQTT 5.0 section 4.8.2): in proportion to members, and to those that have a client where there are any. */
#include "common/base/hash.h"
#include "services/mqtt-broker/several.h"

#define LOTS_MAX 1024u /* of a broker; those with more members have equal parts */

struct mq_peer *mq_place_peer(const struct index_subscription *sub)
{
	return list_entry(sub->who, struct mq_place, subscriber)->peer;
}

static uint32_t members_of(const struct index_subscription *sub, bool here)
{
	const struct mq_group *g = sub->who ? mq_place_peer(sub)->groups[sub->identifier] : NULL;

	return g ? here ? g->here : g->members : 0;
}

static uint64_t members_of_all(const struct index_share *share, bool here)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < share->count; i++)
		sum += members_of(&share->members[i], here);
	return sum;
}

bool mq_spread_named(const struct mq_spread *s)
{
	return s->qos == 2 && s->from && s->from->lasts;
}

/* The highest of a broker's lots, one for each member (splitmix64). */
static uint64_t best_lot(const struct mq_spread *s, const struct mq_peer *p, uint32_t members)
{
	uint64_t instance = p == s->broker->several->self ? ipc_bus_instance(s->broker->bus) : p->instance;
	uint64_t name[3] = { s->key_origin, s->key_number, instance }, seed = hash_fnv1a64(str_make((const char *)name, sizeof(name))),
	         best = 0;

	for (uint32_t i = 0; i < members && i < LOTS_MAX; i++) {
		uint64_t lot = seed += 0x9E3779B97F4A7C15u;

		lot = (lot ^ lot >> 30) * 0xBF58476D1CE4E5B9u;
		lot = (lot ^ lot >> 27) * 0x94D049BB133111EBu;
		lot ^= lot >> 31;
		best = lot > best ? lot : best;
	}
	return best;
}

/* Whichever broker asks: the same one for the same name, as long as that has members (rendezvous hashing). */
static const struct index_subscription *choose_by_name(const struct index_share *share, const struct mq_spread *s, bool here)
{
	const struct index_subscription *best = NULL;
	uint64_t highest = 0;

	for (uint32_t i = 0; i < share->count; i++) {
		uint32_t n = members_of(&share->members[i], here);
		uint64_t lot = n > 0 ? best_lot(s, mq_place_peer(&share->members[i]), n) : 0;

		if (n > 0 && (!best || lot > highest)) {
			best = &share->members[i];
			highest = lot;
		}
	}
	return best;
}

const struct index_subscription *mq_choose(struct index_share *share, const struct mq_spread *s)
{
	uint64_t there = members_of_all(share, true), sum = there ? there : members_of_all(share, false), at;
	bool by_topic = s->broker->config->share == MQ_SHARE_HASH;

	if (sum == 0)
		return NULL;
	if (!by_topic && mq_spread_named(s))
		return choose_by_name(share, s, there > 0);
	at = (by_topic ? hash_fnv1a64(s->message->m.topic) : share->turn++) % sum;
	for (uint32_t i = 0; i < share->count; i++) {
		uint32_t n = members_of(&share->members[i], there > 0);

		if (at < n)
			return &share->members[i];
		at -= n;
	}
	return NULL;
}
