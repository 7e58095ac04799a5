/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-bridge/relay.h"

#include "common/base/mem.h"
#include "common/mqtt/mqtt_decode.h"
#include "common/mqtt/mqtt_encode.h"
#include "common/mqtt/mqtt_reason.h"

#define IDS 65536u
/* Of our SUBSCRIBE. Brokers count from 1; should one get here, the message waits for SUBACK. */
#define SUBSCRIBE_ID 65535u

/* What a message waits for. */
enum id_state {
	ID_FREE,
	ID_HELD,    /* a window at the other side */
	ID_PUBACK,  /* the other broker */
	ID_LOWERED, /* its PUBACK, for a message that came with QoS 2 */
	ID_PUBREC,  /* the other broker */
	ID_PUBREL,  /* the broker that it came from */
	ID_PUBCOMP, /* the other broker */
	ID_RESUMED, /* its PUBCOMP, for one of an earlier connection: Receive Maximum begins anew with each (4.9) */
	ID_STATES
};

struct held {
	struct list_node node;
	uint16_t id;
	enum id_state next;
	size_t n;
	char packet[];
};

void relay_init(struct relay *r, const struct rules *rules, struct mqtt_client *ours, struct mqtt_client *remote,
                const struct relay_events *events, void *ctx, struct relay_counts *counts, size_t output_max)
{
	*r = (struct relay){ .rules = rules, .events = events, .ctx = ctx, .counts = counts, .output_max = output_max };
	r->clients[WAY_OUT] = ours;
	r->clients[WAY_IN] = remote;
	for (unsigned w = 0; w < WAYS; w++) {
		r->ways[w].states = mem_zalloc(IDS);
		list_init(&r->ways[w].held);
	}
}

static void held_free(struct relay_way *way, struct held *h)
{
	list_remove(&h->node);
	way->held_bytes -= h->n;
	way->held_count--;
	mem_free(h);
}

void relay_fini(struct relay *r)
{
	for (unsigned w = 0; w < WAYS; w++) {
		if (!r->ways[w].states)
			continue;
		list_for_each_safe (n, &r->ways[w].held)
			held_free(&r->ways[w], list_entry(n, struct held, node));
		mem_free(r->ways[w].states);
	}
	buf_fini(&r->topic);
	buf_fini(&r->answer);
	buf_fini(&r->packet);
	*r = (struct relay){ 0 };
}

static struct buf *output(struct mqtt_client *c)
{
	return c->events->output(c, c->ctx);
}

static void send_ack(struct mqtt_client *c, enum mqtt_type type, uint16_t id, unsigned reason)
{
	mqtt_encode_short_ack(output(c), &c->peer, type, id, (uint8_t)reason);
}

/* --- the beginning ------------------------------------------------------------------------------------------------ */

/* A side whose session is new gives its identifiers anew. What the other one's session still has under them, of messages with QoS 2 that the lost session had sent, would
 * make it take new messages for those again. Nobody comes back for them: all are released. 4.3.3: who does not know one answers all the same. */
static void release_all(struct relay *r, unsigned way)
{
	struct mqtt_client *to = r->clients[way ^ 1];

	if (r->clients[way]->present || !to->present || to->qos_max < 2)
		return;
	for (uint32_t id = 1; id < IDS; id++)
		send_ack(to, MQTT_PUBREL, (uint16_t)id, MQTT_SUCCESS);
}

static void subscribe(struct relay *r, unsigned side)
{
	struct mqtt_client *c = r->clients[side];
	struct mqtt_subscribe p = { .packet_id = SUBSCRIBE_ID };
	struct buf payload = { 0 };

	for (size_t i = 0; i < r->rules->count; i++) {
		const struct rule *rule = &r->rules->items[i];
		struct mqtt_subscription s = { .filter = str_from(rule->from[side]), .qos = rule->qos };

		if (!rule->goes[side])
			continue;
		/* What we publish does not come back, retained messages are still those when they arrive, and come once. */
		s.no_local = s.retain_as_published = true;
		s.retain_handling = 1;
		mqtt_subscribe_add(&payload, c->peer.version, &s);
		p.count++;
	}
	p.payload = buf_str(&payload);
	if (p.count > 0 && mqtt_encode_subscribe(output(c), &c->peer, &p) > 0)
		r->subscribing[side] = true;
	else if (p.count > 0)
		r->events->on_failed(side, "its topics do not fit into a packet", r->ctx);
	buf_fini(&payload);
}

void relay_start(struct relay *r)
{
	for (unsigned w = 0; w < WAYS; w++)
		release_all(r, w);
	for (unsigned side = 0; side < WAYS; side++)
		subscribe(r, side);
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

static size_t pending(const struct buf *b)
{
	return b->n - b->start;
}

static bool may_send(const struct relay *r, unsigned way, uint16_t id)
{
	struct mqtt_client *to = r->clients[way ^ 1];
	uint32_t inflight = r->ways[way].inflight;

	/* What is in flight will be acknowledged, and that looks here again; so a slow broker's output is bounded, too. */
	if (inflight >= to->receive_max || (inflight > 0 && pending(output(to)) > r->output_max))
		return false;
	return !(r->subscribing[way ^ 1] && id == SUBSCRIBE_ID);
}

static void flush(struct relay *r, unsigned way)
{
	struct relay_way *it = &r->ways[way];

	while (!list_empty(&it->held)) {
		struct held *h = list_entry(it->held.next, struct held, node);

		if (!may_send(r, way, h->id))
			return;
		buf_append(output(r->clients[way ^ 1]), h->packet, h->n);
		it->states[h->id] = (uint8_t)h->next;
		it->inflight++;
		held_free(it, h);
	}
}

/* The packet is in r->packet. */
static void hold(struct relay *r, unsigned way, uint16_t id, enum id_state next)
{
	struct relay_way *it = &r->ways[way];
	struct str packet = buf_str(&r->packet);
	struct held *h = mem_alloc(sizeof(*h) + packet.n);

	h->id = id;
	h->next = next;
	h->n = packet.n;
	memcpy(h->packet, packet.p, packet.n);
	list_init(&h->node);
	list_push_back(&it->held, &h->node);
	it->states[id] = ID_HELD;
	it->held_bytes += h->n;
	it->held_count++;
	if (it->held_bytes > RELAY_HELD_MAX)
		r->events->on_failed(way, "it sends more than the other side takes", r->ctx);
}

/* Done with it, as far as the side that it came from is concerned. Of QoS 2 the rest follows: its PUBREL goes to a broker that knows nothing of it and says so. */
static void answer_for(struct relay *r, unsigned side, const struct mqtt_publish *p)
{
	if (p->qos > 0)
		send_ack(r->clients[side], p->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, p->packet_id, MQTT_SUCCESS);
}

/* The message as it goes to the other side, into r->packet. */
static bool make_packet(struct relay *r, unsigned way, const struct mqtt_publish *p, unsigned qos)
{
	struct mqtt_client *to = r->clients[way ^ 1];
	struct mqtt_publish out = *p;

	out.topic = buf_str(&r->topic);
	out.qos = (uint8_t)qos;
	out.retain = p->retain && to->retains;
	if (qos == 0) {
		out.packet_id = 0;
		out.dup = false;
	}
	mqtt_props_drop(&out.props, MQTT_PROP_TOPIC_ALIAS);
	mqtt_props_drop(&out.props, MQTT_PROP_SUBSCRIPTION_ID);
	buf_clear(&r->answer);
	if (mqtt_props_has(&p->props, MQTT_PROP_RESPONSE_TOPIC) &&
	    rules_map_answer(r->rules, (enum way)way, p->props.response_topic, &r->answer))
		out.props.response_topic = buf_str(&r->answer);
	buf_clear(&r->packet);
	return mqtt_encode_publish(&r->packet, &to->peer, &out) > 0;
}

static void send_message(struct relay *r, unsigned way, const struct mqtt_publish *p, unsigned qos)
{
	static const enum id_state states[3][3] = { [1] = { [1] = ID_PUBACK }, [2] = { [1] = ID_LOWERED, [2] = ID_PUBREC } };
	struct relay_way *it = &r->ways[way];
	struct buf *out = output(r->clients[way ^ 1]);

	if (qos == 0) {
		if (p->qos == 0 && pending(out) > r->output_max) {
			r->counts->slow++;
			return;
		}
		buf_append_str(out, buf_str(&r->packet));
		answer_for(r, way, p);
	} else if (list_empty(&it->held) && may_send(r, way, p->packet_id)) {
		buf_append_str(out, buf_str(&r->packet));
		it->states[p->packet_id] = (uint8_t)states[p->qos][qos];
		it->inflight++;
	} else {
		hold(r, way, p->packet_id, states[p->qos][qos]);
	}
	r->counts->passed[way]++;
}

void relay_publish(struct relay *r, unsigned side, const struct mqtt_publish *p)
{
	const struct mqtt_client *to = r->clients[side ^ 1];
	unsigned qos = p->qos < to->qos_max ? p->qos : to->qos_max;

	/* Within one connection nothing is sent twice (4.4), and no identifier given twice. */
	if (p->qos > 0 && r->ways[side].states[p->packet_id] != ID_FREE) {
		r->events->on_failed(side, "a packet identifier that is in use", r->ctx);
		return;
	}
	buf_clear(&r->topic);
	if (!rules_map(r->rules, (enum way)side, p->topic, &r->topic)) {
		r->counts->no_rule++;
		answer_for(r, side, p);
	} else if (!make_packet(r, side, p, qos)) {
		r->counts->too_large++;
		answer_for(r, side, p);
	} else {
		send_message(r, side, p, qos);
	}
}

/* --- acknowledgements --------------------------------------------------------------------------------------------- */

static void finished(struct relay *r, unsigned way, uint16_t id)
{
	struct relay_way *it = &r->ways[way];

	if (it->states[id] != ID_RESUMED)
		it->inflight--;
	it->states[id] = ID_FREE;
	flush(r, way);
}

/* A broker's reason as its client may pass it on: 0, or that it failed. */
static unsigned reason_for(const struct mqtt_ack *a, enum mqtt_type type)
{
	if (a->reason < MQTT_UNSPECIFIED_ERROR)
		return MQTT_SUCCESS;
	return mqtt_reason_allowed(a->reason, type, false) ? a->reason : MQTT_UNSPECIFIED_ERROR;
}

static void on_puback(struct relay *r, unsigned way, const struct mqtt_ack *a)
{
	enum mqtt_type type = r->ways[way].states[a->packet_id] == ID_LOWERED ? MQTT_PUBREC : MQTT_PUBACK;

	r->counts->refused += a->reason >= MQTT_UNSPECIFIED_ERROR;
	send_ack(r->clients[way], type, a->packet_id, reason_for(a, type));
	finished(r, way, a->packet_id);
}

static void on_pubrec(struct relay *r, unsigned way, const struct mqtt_ack *a)
{
	send_ack(r->clients[way], MQTT_PUBREC, a->packet_id, reason_for(a, MQTT_PUBREC));
	if (a->reason < MQTT_UNSPECIFIED_ERROR) {
		r->ways[way].states[a->packet_id] = ID_PUBREL;
		return;
	}
	r->counts->refused++;
	finished(r, way, a->packet_id);
}

static void on_pubcomp(struct relay *r, unsigned way, const struct mqtt_ack *a)
{
	send_ack(r->clients[way], MQTT_PUBCOMP, a->packet_id, MQTT_SUCCESS);
	finished(r, way, a->packet_id);
}

/* From the side that the message came from. One that is free here belongs to an earlier connection, or was answered without the other broker. */
static void on_pubrel(struct relay *r, unsigned way, const struct mqtt_ack *a)
{
	uint8_t *state = &r->ways[way].states[a->packet_id];
	struct mqtt_client *to = r->clients[way ^ 1];

	if (to->qos_max < 2) {
		send_ack(r->clients[way], MQTT_PUBCOMP, a->packet_id, MQTT_SUCCESS);
	} else if (*state == ID_PUBREL || *state == ID_FREE) {
		*state = *state == ID_PUBREL ? ID_PUBCOMP : ID_RESUMED;
		send_ack(to, MQTT_PUBREL, a->packet_id, MQTT_SUCCESS);
	} else {
		r->events->on_failed(way, "PUBREL for a message that was not received", r->ctx);
	}
}

void relay_ack(struct relay *r, unsigned side, enum mqtt_type type, const struct mqtt_ack *a)
{
	typedef void (*handler)(struct relay * r, unsigned way, const struct mqtt_ack *a);
	static const handler handlers[ID_STATES][16] = {
		[ID_PUBACK][MQTT_PUBACK] = on_puback,    [ID_LOWERED][MQTT_PUBACK] = on_puback,   [ID_PUBREC][MQTT_PUBREC] = on_pubrec,
		[ID_PUBCOMP][MQTT_PUBCOMP] = on_pubcomp, [ID_RESUMED][MQTT_PUBCOMP] = on_pubcomp,
	};
	unsigned way = side ^ 1;
	handler h;

	if (type == MQTT_PUBREL) {
		on_pubrel(r, side, a);
		return;
	}
	h = handlers[r->ways[way].states[a->packet_id]][type & 15];
	if (h)
		h(r, way, a);
	else if (type != MQTT_PUBCOMP) /* those answer release_all */
		r->events->on_failed(side, "an acknowledgement that nothing waits for", r->ctx);
}

void relay_suback(struct relay *r, unsigned side, const struct mqtt_suback *a)
{
	size_t at = 0;

	if (!r->subscribing[side] || a->packet_id != SUBSCRIBE_ID) {
		r->events->on_failed(side, "SUBACK that nothing waits for", r->ctx);
		return;
	}
	r->subscribing[side] = false;
	for (size_t i = 0; i < r->rules->count; i++) {
		if (!r->rules->items[i].goes[side])
			continue;
		unsigned reason = at < a->reasons.n ? (uint8_t)a->reasons.p[at++] : MQTT_UNSPECIFIED_ERROR;

		if (reason >= MQTT_UNSPECIFIED_ERROR)
			r->events->on_filter_refused(side, r->rules->items[i].from[side], reason, r->ctx);
	}
	r->events->on_subscribed(side, r->ctx);
	flush(r, side ^ 1);
}

uint32_t relay_unacknowledged(const struct relay *r)
{
	uint32_t n = 0;

	for (unsigned w = 0; w < WAYS; w++)
		n += r->ways[w].inflight + r->ways[w].held_count;
	return n;
}
