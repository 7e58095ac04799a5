/* SPDX-License-Identifier: Apache-2.0
 *
 * to_user: from a PUBLISH to a message, by a rule. Pure: nothing that a device writes breaks it, or gets it to another domain. */
#ifndef MQTT_GATEWAY_TO_USER_H
#define MQTT_GATEWAY_TO_USER_H

#include "common/mqtt/mqtt_packet.h"
#include "common/xmpp/jid.h"
#include "services/mqtt-gateway/rules.h"

enum to_user_result {
	TO_USER_OK,
	TO_USER_EMPTY,   /* no body comes of it: nothing to send */
	TO_USER_PAYLOAD, /* it is no JSON, or lacks what the rule asks for */
	TO_USER_SIZE,    /* body or subject are too long */
	TO_USER_ADDRESS, /* none of the addresses is valid */
};

struct to_user {
	struct jid to[RULE_TO_MAX]; /* bare */
	size_t to_count;
	struct buf bytes; /* the stanza, canonical */
	uint32_t flags;   /* enum stanza_flag */
	char id[24];      /* the stanza's */
	/* Names the message, so that one that is sent again is known (docs/decisions/0042-mqtt-gateway.md); 0, 0 with QoS 0. */
	uint64_t key_stream, key_number;
};

/* filter: the one of the rule's that the topic matches. body_max: bytes of body and subject each. *out is zeroed, or was filled before. */
enum to_user_result to_user_make(const struct rule *r, struct str filter, const struct mqtt_publish *p, size_t body_max,
                                 struct to_user *out);
void to_user_fini(struct to_user *m);

#endif
