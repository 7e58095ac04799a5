/* SPDX-License-Identifier: Apache-2.0
 *
 * index_set: the subscriptions to one filter, or of one share group of it: an array, so that a fan-out to thousands reads memory in order. The
 * commonest set, of one, stands in the set itself. A subscription and its subscriber know each other's places: removing either is immediate. */
#ifndef COMMON_MQTT_INDEX_SET_H
#define COMMON_MQTT_INDEX_SET_H

#include "common/mqtt/index_subs.h"

struct index_set {
	uint32_t node; /* of the trie; first: where the pool links what is free */
	uint32_t n;
	uint32_t blanks; /* of the n, those removed during a match: who is NULL */
	uint32_t cap;    /* of many; 0: the only one is `one` */
	union {
		struct index_subscription one;
		struct index_subscription *many;
	};
	struct index_share *share; /* NULL: plain subscriptions */
};

/* A subscriber's places, one in each of its sets. */
static inline struct index_subs_ref *index_subscriber_refs(struct index_subscriber *who)
{
	return who->cap ? who->many : &who->one;
}

static inline struct index_subscription *index_set_items(struct index_set *s)
{
	return s->cap ? s->many : &s->one;
}

/* Appends; the subscriber gets the reference. set_id: the set's own number. */
void index_set_add(struct index_set *s, uint32_t set_id, struct index_subscriber *who, const struct index_subscription *options);
/* Takes one out, blank or not; the last that is not blank moves to its place. So blank ones can be taken out one by one, in any order, by the places
 * that they had: those behind the new end are out already. Its subscriber's reference is the caller's. */
void index_set_remove(struct index_set *s, uint32_t at);
/* The array, and the share group. */
void index_set_fini(struct index_set *s);

#endif
