/* SPDX-License-Identifier: Apache-2.0
 *
 * to_topic: from a user's message to a PUBLISH, by a rule. Pure. */
#ifndef MQTT_GATEWAY_TO_TOPIC_H
#define MQTT_GATEWAY_TO_TOPIC_H

#include "common/base/arena.h"
#include "services/mqtt-gateway/rules.h"

enum to_topic_result {
	TO_TOPIC_OK,
	TO_TOPIC_EMPTY, /* no body */
	TO_TOPIC_SIZE,  /* the body is too long */
	TO_TOPIC_NAME,  /* the user's name does not go into a topic */
};

/* stanza: canonical bytes; from: a bare JID. body_max: bytes. Topic and payload are appended. The arena is for as long as it runs. */
enum to_topic_result to_topic_make(const struct rule *r, struct str stanza, struct str from, struct str id, size_t body_max,
                                   struct arena *arena, struct buf *topic, struct buf *payload);

#endif
