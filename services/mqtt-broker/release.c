/* SPDX-License-Identifier: Apache-2.0
 *
 * release: PUBREL from a client whose session lasts: its packet identifier may stand for another message once PUBCOMP is out, so the store forgets it before.
 * What comes while the store is told goes in the next call. */
#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/wire.h"

#define RETRY_MS 512u

struct mq_release {
	struct list_node node;
	struct mq_client *client; /* who gets PUBCOMP; NULL: nobody */
	uint64_t number;          /* among its answers */
	uint16_t packet_id;
};

static void tell(struct mq_session *s);

static void release_free(struct mq_release *r)
{
	list_remove(&r->node);
	if (r->client)
		mq_client_unref(r->client);
	mem_free(r);
}

void mq_releases_end(struct mq_lasting *l)
{
	struct list_node *const lists[] = { &l->releases, &l->releasing };

	for (unsigned i = 0; i < 2; i++)
		list_for_each_safe (n, lists[i])
			release_free(list_entry(n, struct mq_release, node));
}

/* Unknown identifiers are answered too: the client has lost nothing by that (section 3.7.2.1). */
static void answer(struct mq_session *s, struct mq_release *r)
{
	bool known = mq_received_remove(&s->received, r->packet_id);

	known |= mq_received_remove(&s->lasting->unsure, r->packet_id);
	if (r->client)
		mq_publish_done(r->client, r->number, known ? MQTT_SUCCESS : MQTT_PACKET_ID_NOT_FOUND);
}

static void on_released(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct mq_session *s = ctx;

	(void)reply;
	if (s->ended) {
		mq_session_unref(&s);
		return;
	}
	if (ipc_ok(result)) {
		while (!s->ended && !list_empty(&s->lasting->releasing)) {
			struct mq_release *r = list_entry(s->lasting->releasing.next, struct mq_release, node);

			list_remove(&r->node);
			answer(s, r);
			release_free(r);
		}
		if (!s->ended)
			tell(s);
	} else if (result->code == STARLING__CODE__CODE_FENCED || result->code == STARLING__CODE__CODE_NOT_FOUND) {
		mq_lasting_lost(s);
	} else {
		metric_inc(&mq_metrics.store_failed);
		net_timer_set(s->lasting->broker->net, &s->lasting->release_timer, RETRY_MS);
	}
	mq_session_unref(&s);
}

static void call(struct mq_session *s)
{
	Starling__MqttReleasedRequest request = STARLING__MQTT_RELEASED_REQUEST__INIT;
	Starling__MqttFence fence = STARLING__MQTT_FENCE__INIT;
	struct mq_lasting *l = s->lasting;
	struct ipc_opts opts = mq_wire_opts(l->broker);
	uint32_t *packets;
	size_t n = 0;

	list_for_each (it, &l->releasing)
		n++;
	packets = mem_alloc(n * sizeof(*packets));
	n = 0;
	list_for_each (it, &l->releasing)
		packets[n++] = list_entry(it, struct mq_release, node)->packet_id;
	fence.session = l->fence.session;
	fence.epoch = l->fence.epoch;
	request.fence = &fence;
	request.packets = packets;
	request.n_packets = n;
	call_storage_mqtt_released(l->broker->bus, ipc_any("storage"), &opts, &request, on_released, mq_session_ref(s));
	mem_free(packets);
}

void mq_release_on_timer(struct wheel_timer *t)
{
	call(list_entry(t, struct mq_lasting, release_timer)->session);
}

static void tell(struct mq_session *s)
{
	struct mq_lasting *l = s->lasting;

	if (!list_empty(&l->releasing) || list_empty(&l->releases))
		return;
	while (!list_empty(&l->releases)) {
		struct list_node *n = l->releases.next;

		list_remove(n);
		list_push_back(&l->releasing, n);
	}
	call(s);
}

void mq_release(struct mq_session *s, struct mq_client *c, uint16_t packet_id)
{
	struct mq_release *r = mem_new(struct mq_release);

	r->packet_id = packet_id;
	if (c) {
		r->client = mq_client_ref(c);
		r->number = mq_acks_push(&c->acks, MQTT_PUBCOMP, packet_id);
	}
	list_push_back(&s->lasting->releases, &r->node);
	tell(s);
}
