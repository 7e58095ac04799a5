/* SPDX-License-Identifier: Apache-2.0
 *
 * wire: messages as the store has them (ipc/proto/mqtt_store.proto): names with their host in front, times as microseconds since 1970. */
#ifndef MQTT_BROKER_WIRE_H
#define MQTT_BROKER_WIRE_H

#include "ipc/gen/storage.client.h"
#include "services/mqtt-broker/message.h"

struct mq_broker;
struct mq_session;
struct mq_tenant;

/* A message on its way to the store: made, used, and freed again within one function. */
struct mq_wire {
	Starling__MqttMessage message;
	struct str payload;
	char *topic;
};

/* Views of m, which must last as long. payload_inside: in the message, not beside it. */
void mq_wire_init(struct mq_wire *w, const struct mq_tenant *t, const struct mq_message *m, unsigned qos, bool retain, bool payload_inside);
void mq_wire_fini(struct mq_wire *w);

/* NULL: its host is none of ours, or it has no topic. payload: where the message has none itself. */
struct mq_message *mq_wire_message(struct mq_broker *b, const Starling__MqttMessage *m, struct str payload, struct mq_tenant **out_tenant);

/* "host/text"; the caller frees. */
char *mq_wire_name(const struct mq_tenant *t, struct str text);
/* The host in front, and the rest. NULL: no host of ours. */
struct mq_tenant *mq_wire_tenant(struct mq_broker *b, struct str name, struct str *out_rest);

/* For Ipc_opts: time and trace as all calls to the store have them. */
struct ipc_opts mq_wire_opts(struct mq_broker *b);
/* Whether the store may answer otherwise when it is asked again. */
bool mq_wire_passing(int code);
/* Whether it is not known what was done. */
bool mq_wire_doubtful(int code);

#endif
