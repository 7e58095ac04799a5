/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_retained: for unit tests, the store's methods for retained messages (fake_store.h). Included by fake_flock.h. */
#ifndef MQTT_BROKER_FAKE_RETAINED_H
#define MQTT_BROKER_FAKE_RETAINED_H

#include "services/mqtt-broker/fake_store.h"

int call_storage_mqtt_retain(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__MqttRetainRequest *q,
                             storage_mqtt_retain_fn done, void *ctx)
{
	Starling__MqttRetainReply reply = STARLING__MQTT_RETAIN_REPLY__INIT;
	int at = 0;

	(void)bus;
	(void)to;
	if (!store_asked((void (*)(void))done, ctx))
		return 0;
	while (at < ROWS && (!store.retained[at] || strcmp(store.retained[at]->topic, q->message->topic) != 0))
		at++;
	for (int i = 0; i < ROWS && at == ROWS; i++)
		at = store.retained[i] ? at : i;
	assert_true(at < ROWS);
	store_drop(store.retained[at]);
	store.retained[at] = NULL;
	if (opts->payload.n) {
		store.retained[at] = (void *)ipc_copy_for_test(&q->message->base);
		mem_free(store.retained[at]->payload.data);
		store.retained[at]->payload.data = mem_memdup(opts->payload.p, opts->payload.n);
		store.retained[at]->payload.len = opts->payload.n;
	}
	reply.version = ++store.version;
	return store_says((void (*)(void))done, ctx, 0, &reply);
}

int call_storage_mqtt_retained_list(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts,
                                    const Starling__MqttRetainedRequest *q, storage_mqtt_retained_list_fn done, void *ctx)
{
	Starling__MqttRetainedReply reply = STARLING__MQTT_RETAINED_REPLY__INIT;
	Starling__MqttRetained rows[ROWS], *list[ROWS];

	(void)bus;
	(void)to;
	(void)opts;
	(void)q;
	if (!store_asked((void (*)(void))done, ctx))
		return 0;
	reply.retained = list;
	reply.complete = true;
	for (int i = 0; i < ROWS; i++) {
		if (!store.retained[i])
			continue;
		starling__mqtt_retained__init(&rows[i]);
		rows[i].message = store.retained[i];
		list[reply.n_retained++] = &rows[i];
	}
	return store_says((void (*)(void))done, ctx, 0, &reply);
}

#endif
