/* SPDX-License-Identifier: Apache-2.0
 *
 * storage_bench: what an mqtt-broker asks for. A part of storage_bench.c. */
#ifndef TESTS_BENCH_STORAGE_BENCH_MQTT_H
#define TESTS_BENCH_STORAGE_BENCH_MQTT_H

#include "tests/bench/storage_bench.h"

static void on_opened(int code, const char *text, const ProtobufCMessage *reply, void *ctx)
{
	struct sample *s = ctx;

	if (code == 0)
		s->bench->sessions[s->domain].number = ((const Starling__MqttOpenReply *)reply)->session->fence->session;
	on_done(code, text, reply, s);
}

static Starling__MqttFence session_fence(const struct bench *b, uint32_t i)
{
	Starling__MqttFence fence = STARLING__MQTT_FENCE__INIT;

	fence.session = b->sessions[i].number;
	fence.epoch = 1;
	return fence;
}

static void on_queued(int code, const char *text, const ProtobufCMessage *reply, void *ctx);

/* One call for each session of the message; the last one counts. */
static void done_all(struct sample *s, bool received)
{
	struct bench *b = s->bench;

	for (uint32_t i = 0; i < b->fan; i++) {
		Starling__MqttDoneRequest r = STARLING__MQTT_DONE_REQUEST__INIT;
		Starling__MqttFence fence = session_fence(b, (s->domain + i) % b->accounts);
		bool last = i + 1 == b->fan;

		r.fence = &fence;
		if (received) {
			r.received = &s->seqs[i];
			r.n_received = 1;
		} else {
			r.done = &s->seqs[i];
			r.n_done = 1;
		}
		store_submit(b->store, METHOD_STORAGE_MQTT_DONE & 0xff, &r.base, STR(""), 0, !last || !received ? on_done : on_queued,
		             last ? s : sample_new(b));
	}
}

static void on_queued(int code, const char *text, const ProtobufCMessage *reply, void *ctx)
{
	struct sample *s = ctx;
	bool received = s->bench->qos == 2 && !s->received;

	if (code || !s->seqs) {
		on_done(code, text, reply, s);
		return;
	}
	s->received = true;
	done_all(s, received);
}

static void queue(struct bench *b, bool stays)
{
	Starling__MqttQueueRequest r = STARLING__MQTT_QUEUE_REQUEST__INIT;
	Starling__MqttMessage m = STARLING__MQTT_MESSAGE__INIT;
	Starling__MqttQueued *to = mem_alloc(b->fan * sizeof *to);
	Starling__MqttFence *fences = mem_alloc(b->fan * sizeof *fences);
	struct sample *s = sample_new(b);

	s->domain = b->next_account % b->accounts;
	s->seqs = mem_alloc(b->fan * sizeof *s->seqs);
	r.to = mem_alloc(b->fan * sizeof(Starling__MqttQueued *));
	for (uint32_t i = 0; i < b->fan; i++) {
		uint32_t session = (s->domain + i) % b->accounts;

		starling__mqtt_queued__init(&to[i]);
		fences[i] = session_fence(b, session);
		to[i].fence = &fences[i];
		to[i].seq = s->seqs[i] = ++b->sessions[session].seq;
		to[i].qos = b->qos;
		r.to[r.n_to++] = &to[i];
	}
	m.topic = (char *)"bench.example/sensors/4f7a2c/temperature";
	m.qos = b->qos;
	m.time_us = clock_wall_us();
	m.publisher = (char *)"bench.example/publisher";
	r.message = &m;
	r.key_origin = 77;
	r.key_number = ++b->next_account;
	r.again = b->check;
	if (stays) {
		mem_free(s->seqs);
		s->seqs = NULL;
	}
	store_submit(b->store, METHOD_STORAGE_MQTT_QUEUE & 0xff, &r.base, str_make(b->stanza, b->bytes), 0, on_queued, s);
	mem_free(r.to);
	mem_free(to);
	mem_free(fences);
}

static void mqtt_one(struct bench *b)
{
	queue(b, false);
}

static void on_received(int code, const char *text, const ProtobufCMessage *reply, void *ctx)
{
	Starling__MqttReleasedRequest r = STARLING__MQTT_RELEASED_REQUEST__INIT;
	struct sample *s = ctx;
	Starling__MqttFence fence = session_fence(s->bench, s->domain);
	uint32_t packet = (uint32_t)s->seqs[0];

	if (code) {
		on_done(code, text, reply, s);
		return;
	}
	r.fence = &fence;
	r.packets = &packet;
	r.n_packets = 1;
	store_submit(s->bench->store, METHOD_STORAGE_MQTT_RELEASED & 0xff, &r.base, STR(""), 0, on_done, s);
}

static void receive_one(struct bench *b)
{
	Starling__MqttReceiveRequest r = STARLING__MQTT_RECEIVE_REQUEST__INIT;
	struct sample *s = sample_new(b);
	Starling__MqttFence fence;

	s->domain = b->next_account++ % b->accounts;
	s->seqs = mem_alloc(sizeof *s->seqs);
	s->seqs[0] = ++b->sessions[s->domain].seq % 65535 + 1;
	fence = session_fence(b, s->domain);
	r.fence = &fence;
	r.packet = (uint32_t)s->seqs[0];
	store_submit(b->store, METHOD_STORAGE_MQTT_RECEIVE & 0xff, &r.base, STR(""), 0, on_received, s);
}

static void retain_one(struct bench *b)
{
	Starling__MqttRetainRequest r = STARLING__MQTT_RETAIN_REQUEST__INIT;
	Starling__MqttMessage m = STARLING__MQTT_MESSAGE__INIT;
	char topic[64];

	snprintf(topic, sizeof topic, "bench.example/sensors/%u", b->next_account++ % b->accounts);
	m.topic = topic;
	m.qos = 1;
	m.time_us = clock_wall_us();
	m.publisher = (char *)"bench.example/publisher";
	r.message = &m;
	submit(b, METHOD_STORAGE_MQTT_RETAIN, &r.base, str_make(b->stanza, b->bytes));
}

/* All sessions under epoch 1, and what stays. */
static void fill_mqtt(struct bench *b)
{
	b->sessions = mem_zalloc(b->accounts * sizeof *b->sessions);
	for (uint32_t i = 0; i < b->accounts; i++) {
		Starling__MqttOpenRequest r = STARLING__MQTT_OPEN_REQUEST__INIT;
		Starling__MqttSession session = STARLING__MQTT_SESSION__INIT;
		struct sample *s = sample_new(b);
		char name[64];

		snprintf(name, sizeof name, "bench.example/device%u", i);
		session.name = name;
		session.expiry_s = UINT32_MAX;
		r.session = &session;
		r.instance = 1;
		s->domain = i;
		store_submit(b->store, METHOD_STORAGE_MQTT_OPEN & 0xff, &r.base, STR(""), 0, on_opened, s);
		drain(b, b->open_max);
	}
	drain(b, 1);
	for (uint32_t i = 0; i < b->backlog; i++) {
		queue(b, true);
		drain(b, b->open_max);
	}
	drain(b, 1);
}

#endif
