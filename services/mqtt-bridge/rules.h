/* SPDX-License-Identifier: Apache-2.0
 *
 * rules: which topics go over a link, in which direction, and what they are called at the other side. Pure. */
#ifndef MQTT_BRIDGE_RULES_H
#define MQTT_BRIDGE_RULES_H

#include "common/base/buf.h"

#define RULES_MAX 256u /* of a link */

/* Where a message goes: from our broker to the remote one, or back. */
enum way { WAY_OUT, WAY_IN, WAYS };

struct rule {
	bool goes[WAYS];
	uint8_t qos;          /* the highest with which it goes */
	char *filter;         /* behind the prefixes */
	char *prefixes[WAYS]; /* at the side from which WAY comes: [WAY_OUT] ours, [WAY_IN] the remote one's; [way ^ 1] where it goes to */
	char *from[WAYS];     /* what is subscribed to: prefix and filter */
};

/* Zeroed: none. Owned by whoever declares it. */
struct rules {
	struct rule *items;
	size_t count;
};

/* local, remote: the prefixes, which may be empty. NULL, or why it is no rule. At most RULES_MAX. */
const char *rules_add(struct rules *rules, struct str filter, const bool goes[WAYS], unsigned qos, struct str local, struct str remote);
void rules_fini(struct rules *rules);
/* The topic's name at the side that it goes to, appended to out. The first rule that matches says it; false: none does. */
bool rules_map(const struct rules *rules, enum way way, struct str topic, struct buf *out);
/* The same for a topic on which an answer is awaited, at the side that the message comes from: as it has to be called at the other side for the answer to come back. */
bool rules_map_answer(const struct rules *rules, enum way way, struct str topic, struct buf *out);
/* Would the remote broker send us back what we publish there, if it does not know that it is ours? */
bool rules_circle(const struct rules *rules);

#endif
