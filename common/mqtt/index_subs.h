/* SPDX-License-Identifier: Apache-2.0
 *
 * index_subs: who gets a message: subscriptions by topic filter, plain and shared (MQTT 5.0 sections 4.7 and 4.8). Finding those of a topic costs by
 * what matches, not by what there is. The same answers which other brokers have anybody for a topic: each broker is a subscriber there.
 *
 * Ownership: a subscriber embeds struct index_subscriber, zeroed at first, and is removed from the index before it is freed. It may be in one index
 * only. The index has references to it, and keeps texts of its own. Limits of filters per client are the caller's: adding and removing cost at most
 * by the smaller of how many filters the subscriber has, and how many have the filter. */
#ifndef COMMON_MQTT_INDEX_SUBS_H
#define COMMON_MQTT_INDEX_SUBS_H

#include "common/mqtt/index_path.h"

struct index_subs;

/* A subscriber's place in one set of the index. */
struct index_subs_ref {
	uint32_t set;
	uint32_t at;
};

/* Where it is in the index; index_subs alone looks into it. */
struct index_subscriber {
	union {
		struct index_subs_ref one; /* the only one of most */
		struct index_subs_ref *many;
	};
	uint32_t count; /* of its filters; may be read */
	uint32_t cap;   /* of many; 0: it is `one` */
};

/* One subscriber's subscription to one filter. */
struct index_subscription {
	struct index_subscriber *who;
	uint32_t ref;             /* the index's */
	uint32_t identifier : 28; /* 1 to 268,435,455 (section 3.8.2.1.2), 0 for none; of another broker: how many it has there */
	uint32_t qos : 2;
	uint32_t no_local : 1;
	uint32_t retain_as_published : 1;
};

/* A share group of one filter. Which member gets the message is for the caller to choose. */
struct index_share {
	struct str name;
	const struct index_subscription *members; /* until anything is added */
	uint32_t count;                           /* with those that were removed since the match began: their who is NULL */
	uint32_t turn;                            /* the caller's, 0 at first: for those who take turns */
};

enum index_subs_change {
	INDEX_SUBS_REFUSED,  /* not a valid filter, too many levels, or not a valid share name */
	INDEX_SUBS_NONE,     /* there was no such subscription */
	INDEX_SUBS_REPLACED, /* the subscriber had it, maybe with other options */
	INDEX_SUBS_ADDED,
	INDEX_SUBS_FIRST, /* added, as the first with this filter and share name: what other brokers are told */
	INDEX_SUBS_REMOVED,
	INDEX_SUBS_LAST, /* removed, and nobody else has it */
};

struct index_subs *index_subs_new(void);
/* Subscribers that are still in it come out of it. */
void index_subs_free(struct index_subs **subs);

/* share: the group's name, empty for a plain subscription; filter: what is behind it. Of `options` who and ref are not read. */
enum index_subs_change index_subs_add(struct index_subs *subs, struct index_subscriber *who, struct str share, struct str filter,
                                      const struct index_subscription *options);
enum index_subs_change index_subs_remove(struct index_subs *subs, struct index_subscriber *who, struct str share, struct str filter);

/* The texts hold during the call. The callback must not change the index. */
typedef void (*index_subs_filter_fn)(void *ctx, struct str share, struct str filter, const struct index_subscription *subscription);
/* All of a subscriber's. on_last, unless NULL, is called for each that nobody else has, before it goes. */
void index_subs_remove_all(struct index_subs *subs, struct index_subscriber *who, index_subs_filter_fn on_last, void *ctx);
void index_subs_each(const struct index_subs *subs, const struct index_subscriber *who, index_subs_filter_fn on_filter, void *ctx);

/* Either may be NULL. */
struct index_subs_visitor {
	void (*on_subscription)(void *ctx, const struct index_subscription *subscription); /* the argument holds during the call */
	void (*on_share)(void *ctx, struct index_share *share);
};
/* Calls back for each plain subscription and each share group that matches the topic name, in no order. A subscriber with several filters that match
 * comes several times: one copy with the highest QoS and all identifiers, or one for each, are both allowed (section 3.3.4), so that is the caller's.
 * From a callback subscriptions may be added, removed, and matched again. What is removed is not seen any more; what is added may be seen or not.
 * False when the topic is empty, or has more levels than any filter may have. */
bool index_subs_match(struct index_subs *subs, struct str topic, const struct index_subs_visitor *visitor, void *ctx);

/* A group of one filter; NULL: it has no members. Holds until anything is added or removed. */
struct index_share *index_subs_share(struct index_subs *subs, struct str share, struct str filter);

uint32_t index_subs_count(const struct index_subs *subs);   /* subscriptions */
uint32_t index_subs_filters(const struct index_subs *subs); /* filters with a share name or without, each counted once */
uint32_t index_subs_nodes(const struct index_subs *subs);   /* of the tree: some 55 bytes each, beside 60 for each filter */

#endif
