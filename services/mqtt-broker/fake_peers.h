/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_peers: for unit tests, other brokers: what they are asked is kept, and answered as the test says; what they ask is said by the test, and the answer kept.
 * Included by fake_flock.h. */
#ifndef MQTT_BROKER_FAKE_PEERS_H
#define MQTT_BROKER_FAKE_PEERS_H

#include <cmocka.h>
#include <string.h>

#include "common/base/mem.h"
#include "ipc/gen/mqtt.client.h"
#include "ipc/gen/mqtt.server.h"
#include "ipc/runtime/ipc_for_test.h"

#define ASKED 64

struct peer_asked {
	const char *what; /* NULL: answered */
	uint64_t instance;
	ProtobufCMessage *request;
	char payload[100];
	ipc_done_fn done;
	void *ctx;
};

/* What a broker asks of this one. */
struct ipc_call {
	uint64_t source;
	struct str payload;
	ProtobufCMessage *reply; /* NULL: not yet, or failed */
	int code;
	bool answered;
};

static struct {
	uint64_t there[4]; /* instances that the directory lists; 0: none */
	bool holds;        /* nobody answers by himself */
	struct peer_asked asked[ASKED];
	uint32_t asked_n;
} peers;

static inline int peer_ask(const char *what, struct ipc_target to, const struct ipc_opts *opts, const ProtobufCMessage *request,
                           void (*done)(void), void *ctx)
{
	struct peer_asked *a = &peers.asked[peers.asked_n++];

	assert_true(peers.asked_n <= ASKED);
	*a = (struct peer_asked){
		.what = what, .instance = to.instance, .request = ipc_copy_for_test(request), .done = (ipc_done_fn)done, .ctx = ctx
	};
	snprintf(a->payload, sizeof(a->payload), "%.*s", (int)opts->payload.n, opts->payload.p ? opts->payload.p : "");
	return 0;
}

#define PEER_CALL(name, Request, type)                                                                                                     \
	int call_mqtt_##name(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Request *request, type done,    \
	                     void *ctx)                                                                                                    \
	{                                                                                                                                  \
		(void)bus;                                                                                                                 \
		return peer_ask(#name, to, opts, &request->base, (void (*)(void))done, ctx);                                               \
	}
PEER_CALL(filters, Starling__MqttFiltersRequest, mqtt_filters_fn)
PEER_CALL(publish, Starling__MqttPublishRequest, mqtt_publish_fn)
PEER_CALL(claim, Starling__MqttClaimRequest, mqtt_claim_fn)
PEER_CALL(retained, Starling__MqttRetainedNews, mqtt_retained_fn)

int send_mqtt_publish_once(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts,
                           const Starling__MqttPublishRequest *event)
{
	(void)bus;
	return peer_ask("publish_once", to, opts, &event->base, NULL, NULL);
}

int send_mqtt_flapped(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__MqttFlappedEvent *event)
{
	(void)bus;
	return peer_ask("flapped", to, opts, &event->base, NULL, NULL);
}

/* --- what is asked of others -------------------------------------------------------------------------------------- */

static inline struct peer_asked *peer_find(const char *what)
{
	for (uint32_t i = 0; i < peers.asked_n; i++) {
		if (peers.asked[i].what && strcmp(peers.asked[i].what, what) == 0)
			return &peers.asked[i];
	}
	return NULL;
}

static inline void peer_says(struct peer_asked *a, int code, const void *reply)
{
	struct peer_asked one = *a;
	struct ipc_result result = { .code = code, .text = "", .source = a->instance };

	a->what = NULL;
	a->request = NULL;
	if (one.done)
		one.done(&result, code ? NULL : reply, one.ctx);
	protobuf_c_message_free_unpacked(one.request, NULL);
	while (peers.asked_n > 0 && !peers.asked[peers.asked_n - 1].what)
		peers.asked_n--;
}

/* The oldest question of that kind; reply NULL: an empty one. */
static inline void peer_answer(const char *what, int code, const void *reply)
{
	static const Starling__Empty empty = STARLING__EMPTY__INIT;
	static const Starling__MqttPublishReply published = STARLING__MQTT_PUBLISH_REPLY__INIT;
	static const Starling__MqttClaimReply claimed = STARLING__MQTT_CLAIM_REPLY__INIT;
	struct peer_asked *a = peer_find(what);

	assert_non_null(a);
	if (!reply)
		reply = strcmp(what, "publish") == 0 ? (const void *)&published
		        : strcmp(what, "claim") == 0 ? (const void *)&claimed
		                                     : &empty;
	peer_says(a, code, reply);
}

/* Everything that waits, of whatever kind. */
static inline void peers_answer(int code)
{
	for (uint32_t i = 0; i < ASKED; i++) {
		if (peers.asked[i].what)
			peer_answer(peers.asked[i].what, code, NULL);
	}
}

/* --- what others ask ---------------------------------------------------------------------------------------------- */

void *ipc_call_daemon(const struct ipc_call *call);

uint64_t ipc_call_source(const struct ipc_call *call)
{
	return call->source;
}
struct str ipc_call_payload(const struct ipc_call *call)
{
	return call->payload;
}

static inline void peer_reply(struct ipc_call *call, const ProtobufCMessage *reply)
{
	assert_false(call->answered);
	call->answered = true;
	call->reply = ipc_copy_for_test(reply);
}
void reply_mqtt_filters(struct ipc_call *call, const Starling__Empty *reply)
{
	peer_reply(call, &reply->base);
}
void reply_mqtt_publish(struct ipc_call *call, const Starling__MqttPublishReply *reply)
{
	peer_reply(call, &reply->base);
}
void reply_mqtt_claim(struct ipc_call *call, const Starling__MqttClaimReply *reply)
{
	peer_reply(call, &reply->base);
}
void reply_mqtt_retained(struct ipc_call *call, const Starling__Empty *reply)
{
	peer_reply(call, &reply->base);
}

static inline void call_drop(struct ipc_call *call)
{
	if (call->reply)
		protobuf_c_message_free_unpacked(call->reply, NULL);
	*call = (struct ipc_call){ .source = call->source };
}

#endif
