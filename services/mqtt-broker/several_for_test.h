/* SPDX-License-Identifier: Apache-2.0
 *
 * several_for_test: for unit tests, what two other brokers say and ask. */
#ifndef MQTT_BROKER_SEVERAL_FOR_TEST_H
#define MQTT_BROKER_SEVERAL_FOR_TEST_H

#include "services/mqtt-broker/fake_flock.h"

#define OTHER 7u
#define THIRD 9u

static inline Starling__MqttFilter *filter_of(const char *filter, const char *group, uint32_t members)
{
	static Starling__MqttFilter f;

	starling__mqtt_filter__init(&f);
	f.filter = (char *)(uintptr_t)filter;
	f.group = (char *)(uintptr_t)group;
	f.members = members;
	f.here = group[0] ? members : 0;
	return &f;
}

/* All that the other one has: one filter, or none. */
static inline int says_filters(uint64_t who, Starling__MqttFilter *f, bool all)
{
	struct ipc_call call = { .source = who };
	Starling__MqttFiltersRequest r = STARLING__MQTT_FILTERS_REQUEST__INIT;
	int code;

	r.filters = &f;
	r.n_filters = f != NULL;
	r.all = all;
	r.known = true;
	on_mqtt_filters(&call, &r);
	assert_true(call.answered);
	code = call.code;
	call_drop(&call);
	turn();
	return code;
}

/* It has a session now, and all have heard of it. */
static inline void says_settled(uint64_t who, const char *name)
{
	struct ipc_call call = { .source = who };
	Starling__MqttFiltersRequest r = STARLING__MQTT_FILTERS_REQUEST__INIT;
	char *names[] = { (char *)(uintptr_t)name };

	r.known = true;
	r.settled = names;
	r.n_settled = 1;
	on_mqtt_filters(&call, &r);
	call_drop(&call);
}

static inline void answers(uint64_t who)
{
	struct ipc_call call = { .source = who };
	Starling__MqttFiltersRequest r = STARLING__MQTT_FILTERS_REQUEST__INIT;

	r.known = true;
	r.answer = fake.broker->several->ask;
	on_mqtt_filters(&call, &r);
	call_drop(&call);
	turn();
}

static inline void meets(uint64_t who)
{
	peers.there[who == OTHER ? 0 : 1] = who;
	mq_peers_update(fake.broker);
	turn();
	assert_int_equal(says_filters(who, NULL, true), 0);
}

static inline void loses(uint64_t who)
{
	peers.there[who == OTHER ? 0 : 1] = 0;
	mq_peers_update(fake.broker);
	turn();
}

/* A call that may be answered later. */
static inline struct ipc_call *call_of(uint64_t who)
{
	static struct ipc_call all[8];
	static unsigned n;
	struct ipc_call *call = &all[n++ % 8];

	*call = (struct ipc_call){ .source = who };
	return call;
}

static inline struct ipc_call *claims(uint64_t who, const char *name, const char *user, int64_t since_us)
{
	struct ipc_call *call = call_of(who);
	Starling__MqttClaimRequest r = STARLING__MQTT_CLAIM_REQUEST__INIT;

	r.name = (char *)(uintptr_t)name;
	r.user = (char *)(uintptr_t)user;
	r.since_us = since_us;
	on_mqtt_claim(call, &r);
	return call;
}

static inline struct ipc_call *passes_named(uint64_t origin, uint64_t number, const char *topic, const char *payload, uint32_t qos,
                                            bool again, const char *group)
{
	struct ipc_call *call = call_of(OTHER);
	Starling__MqttPublishRequest r = STARLING__MQTT_PUBLISH_REQUEST__INIT;
	Starling__MqttMessage m = STARLING__MQTT_MESSAGE__INIT;
	Starling__MqttGroup g = STARLING__MQTT_GROUP__INIT, *list[] = { &g };

	m.topic = (char *)(uintptr_t)topic;
	m.qos = qos;
	r.message = &m;
	r.key_origin = origin;
	r.key_number = number;
	r.again = again;
	g.filter = (char *)(uintptr_t)topic;
	g.group = (char *)(uintptr_t)group;
	r.groups = list;
	r.n_groups = group != NULL;
	call->payload = str_from(payload);
	on_mqtt_publish(call, &r);
	turn();
	return call;
}

static inline struct ipc_call *passes(const char *topic, const char *payload, uint32_t qos, bool again, const char *group)
{
	return passes_named(OTHER, 5, topic, payload, qos, again, group);
}

#endif
