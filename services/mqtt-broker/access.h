/* SPDX-License-Identifier: Apache-2.0
 *
 * access: who may publish and subscribe to what: a file of rules, one a line; the first that fits decides, and none means no.
 *
 *   allow publish   devices/%c/state              %c: client identifier, %u: user name without its host
 *   deny  subscribe secret/# anonymous            anonymous, authenticated, user NAME; nothing: everybody
 *   allow all       #                             publish and subscribe
 *   deny  receive   alarms/raw/#
 *
 * A publish fits when the rule's filter matches the topic. A subscription fits an `allow` when the rule's filter matches all that it asks for, and a
 * `deny` when it matches any of it. Unlike in subscriptions a wildcard at the beginning stands for what begins with $ as well.
 * What no rule for `receive` fits may be received: who has none is asked nothing. */
#ifndef MQTT_BROKER_ACCESS_H
#define MQTT_BROKER_ACCESS_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/str.h"

#define MQ_ACCESS_RULES_MAX 10000u

struct mq_access;

enum mq_access_what { MQ_ACCESS_PUBLISH = 1, MQ_ACCESS_SUBSCRIBE = 2, MQ_ACCESS_RECEIVE = 4 };

struct mq_access_who {
	struct str client;  /* client identifier */
	struct str account; /* bare JID; .p is NULL: anonymous */
};

/* path empty: the rules that there are without a file. NULL with e set: the file cannot be read, or a line of it is wrong. */
struct mq_access *mq_access_load(const char *path, struct err *e);
struct mq_access *mq_access_parse(struct str text, struct err *e);
/* filters: of each a letter (p: may be published to, s: may be subscribed to), the filter, NUL. Nothing else is allowed. NULL: one is no filter. */
struct mq_access *mq_access_grants(struct str filters);
void mq_access_free(struct mq_access **a);
/* topic: valid; for MQ_ACCESS_SUBSCRIBE a filter without its share name. */
/* Is there a rule for MQ_ACCESS_RECEIVE at all? */
bool mq_access_receives(const struct mq_access *a);
bool mq_access_allows(const struct mq_access *a, enum mq_access_what what, const struct mq_access_who *who, struct str topic);

#endif
