/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: what two brokers may send to a bridge between them. The first byte says the versions; then pieces, each with a byte for its side and length. Properties:
 * - whatever comes, nothing breaks, and a side that has ended says nothing more;
 * - what goes out to each broker is well-formed packets;
 * - what is counted as unacknowledged is never less than nothing. */
#include "common/base/mem.h"
#include "common/mqtt/mqtt_for_test.h"
#include "services/mqtt-bridge/relay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bridge {
	struct mqtt_client clients[WAYS];
	struct buf outs[WAYS];
	struct relay relay;
	struct relay_counts counts;
	bool relaying;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static unsigned side_of(const struct bridge *b, const struct mqtt_client *c)
{
	return c == &b->clients[WAY_IN];
}

static void on_connected(struct mqtt_client *c, void *ctx)
{
	(void)ctx;
	mqtt_client_hold(c);
}

static void on_refused(struct mqtt_client *c, enum mqtt_reason reason, struct str text, void *ctx)
{
	(void)ctx;
	(void)text;
	require(c->state == MQTT_CLIENT_ENDED && reason >= MQTT_UNSPECIFIED_ERROR);
}

static void on_publish(struct mqtt_client *c, const struct mqtt_publish *p, void *ctx)
{
	struct bridge *b = ctx;

	require(c->state == MQTT_CLIENT_LIVE && b->relaying);
	relay_publish(&b->relay, side_of(b, c), p);
}

static void on_ack(struct mqtt_client *c, enum mqtt_type type, const struct mqtt_ack *a, void *ctx)
{
	struct bridge *b = ctx;

	require(c->state == MQTT_CLIENT_LIVE && b->relaying);
	relay_ack(&b->relay, side_of(b, c), type, a);
}

static void on_suback(struct mqtt_client *c, const struct mqtt_suback *a, void *ctx)
{
	struct bridge *b = ctx;

	require(c->state == MQTT_CLIENT_LIVE && b->relaying);
	relay_suback(&b->relay, side_of(b, c), a);
}

static void on_broken(struct mqtt_client *c, const char *why, void *ctx)
{
	(void)ctx;
	require(c->state == MQTT_CLIENT_ENDED && why && *why);
}

static struct buf *output(struct mqtt_client *c, void *ctx)
{
	struct bridge *b = ctx;

	return &b->outs[side_of(b, c)];
}

static void on_failed(unsigned side, const char *why, void *ctx)
{
	struct bridge *b = ctx;

	(void)side;
	require(why && *why);
	mqtt_client_end(&b->clients[WAY_OUT]);
	mqtt_client_end(&b->clients[WAY_IN]);
}

static void on_filter_refused(unsigned side, const char *filter, unsigned reason, void *ctx)
{
	(void)side;
	(void)ctx;
	require(filter && reason >= MQTT_UNSPECIFIED_ERROR);
}

static void on_subscribed(unsigned side, void *ctx)
{
	(void)side;
	(void)ctx;
}

static void look_at_output(struct bridge *b, unsigned side)
{
	struct mqtt_peer from = { .version = b->clients[side].peer.version };
	struct buf *out = &b->outs[side];

	while (out->n > out->start) {
		struct str s = buf_str(out);
		bool first = (uint8_t)s.p[0] >> 4 == MQTT_CONNECT;
		struct any_packet p;
		struct mqtt_error e;
		struct mqtt_frame f;

		require(mqtt_frame_next(first ? MQTT_VERSION_UNKNOWN : from.version, s.p, s.n, 0, &f) == MQTT_FRAME_WHOLE);
		require(any_decode(&f, &from, &p, &e));
		buf_consume(out, f.size);
	}
}

static void begin(struct bridge *b, const struct rules *rules)
{
	static const struct relay_events events = { on_failed, on_filter_refused, on_subscribed };

	if (b->relaying || b->clients[WAY_OUT].state != MQTT_CLIENT_LIVE || b->clients[WAY_IN].state != MQTT_CLIENT_LIVE)
		return;
	relay_init(&b->relay, rules, &b->clients[WAY_OUT], &b->clients[WAY_IN], &events, b, &b->counts, 4096);
	b->relaying = true;
	relay_start(&b->relay);
	mqtt_client_release(&b->clients[WAY_OUT]);
	mqtt_client_release(&b->clients[WAY_IN]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mqtt_client_events events = { on_connected, on_refused, on_publish, on_ack, on_suback, on_broken, output };
	static const bool both[WAYS] = { true, true };
	struct rules rules = { 0 };
	struct bridge b = { 0 };

	if (size == 0)
		return 0;
	require(!rules_add(&rules, STR("#"), both, 2, STR("a/"), STR("")));
	for (unsigned side = 0; side < WAYS; side++) {
		struct mqtt_client_wish wish = { .version = data[0] >> side & 1 ? MQTT_5 : MQTT_3_1_1, .id = STR("b"), .receive_max = 5 };

		mqtt_client_init(&b.clients[side], &events, &b);
		require(mqtt_client_connect(&b.clients[side], &wish));
	}
	for (size_t at = 1; at < size;) {
		unsigned side = data[at] >> 7;
		size_t n = data[at] & 127;

		at++;
		if (n > size - at)
			n = size - at;
		mqtt_client_input(&b.clients[side], (const char *)data + at, n);
		at += n;
		begin(&b, &rules);
		look_at_output(&b, WAY_OUT);
		look_at_output(&b, WAY_IN);
		require(!b.relaying || relay_unacknowledged(&b.relay) < size);
	}
	if (b.relaying)
		relay_fini(&b.relay);
	for (unsigned side = 0; side < WAYS; side++) {
		mqtt_client_fini(&b.clients[side]);
		buf_fini(&b.outs[side]);
	}
	rules_fini(&rules);
	return 0;
}
