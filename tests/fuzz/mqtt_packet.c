/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: MQTT packets, in every version and from both sides. The first byte says which and how strict; the rest is a stream of
 * packets. Properties:
 * - where a packet ends does not depend on how much of the stream is there;
 * - what is refused has a reason code and a text;
 * - what is decoded is encoded again, in no more bytes, and those are decoded and encoded again as the same bytes;
 * - what can be looked at one by one has as many as were counted, and valid topics;
 * - a PUBLISH that is delivered to others, in all three ways, is the same message. */
#include "common/base/mem.h"
#include "common/mqtt/mqtt_deliver.h"
#include "common/mqtt/mqtt_for_test.h"
#include "common/mqtt/mqtt_topic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_subscriptions(const struct any_packet *p, unsigned version)
{
	struct str rest = p->subscribe.payload, filter;
	struct mqtt_subscription s;
	uint32_t n = 0;

	for (; p->type == MQTT_SUBSCRIBE && mqtt_subscribe_next(&rest, version, &s); n++) {
		require(mqtt_topic_filter_valid(s.filter, 0) && s.qos <= 2 && s.retain_handling <= 2);
		/* A filter without wildcards matches itself. */
		require(s.wildcard || mqtt_topic_matches(s.topic, s.topic));
		require(s.levels > 0 && s.levels <= s.topic.n + 1);
	}
	require(p->type != MQTT_SUBSCRIBE || (n == p->subscribe.count && n > 0 && !rest.n));
	rest = p->unsubscribe.payload;
	for (n = 0; p->type == MQTT_UNSUBSCRIBE && mqtt_unsubscribe_next(&rest, &filter); n++)
		require(mqtt_topic_filter_valid(filter, 0));
	require(p->type != MQTT_UNSUBSCRIBE || (n == p->unsubscribe.count && n > 0 && !rest.n));
}

static void check_many(const struct mqtt_props *p)
{
	require(!p || mqtt_props_has(p, MQTT_PROP_USER) == (mqtt_props_users(p) > 0));
	require(!p || mqtt_props_has(p, MQTT_PROP_SUBSCRIPTION_ID) == (mqtt_props_subscription_ids(p) > 0));
}

static void check_received(struct str bytes, const struct mqtt_peer *to, const struct mqtt_publish *p, const struct mqtt_delivery *d)
{
	struct mqtt_peer from = { .version = to->version, .server = true, .topic_alias_max = 1 };
	struct any_packet got;
	struct mqtt_error e;

	require(any_read(bytes, &from, &got, &e) && got.type == MQTT_PUBLISH);
	require(str_eq(got.publish.payload, p->payload) && got.publish.qos == d->qos &&
	        got.publish.packet_id == (d->qos ? d->packet_id : 0));
	require(d->alias_known ? !got.publish.topic.n : str_eq(got.publish.topic, p->topic));
	if (to->version != MQTT_5)
		return;
	require(str_eq(got.publish.props.content_type, p->props.content_type));
	require(str_eq(got.publish.props.response_topic, p->props.response_topic));
	require(str_eq(got.publish.props.correlation_data, p->props.correlation_data));
	require(mqtt_props_users(&got.publish.props) == mqtt_props_users(&p->props));
	require(mqtt_props_subscription_ids(&got.publish.props) == d->subscription_id_count);
}

static void check_delivery(const struct mqtt_publish *p, unsigned choice)
{
	static const uint32_t ids[] = { 1, 128, 70000 };
	struct mqtt_peer to = { .version = choice & 1 ? MQTT_5 : MQTT_3_1_1 };
	struct mqtt_delivery d = { .qos = p->qos, .packet_id = 513, .has_expiry = choice & 2, .expiry = 7 };
	struct buf stored = { 0 }, whole = { 0 }, pieces_bytes = { 0 };
	struct mqtt_message m = { .topic = p->topic };
	struct mqtt_pieces pieces;
	struct mqtt_template t;

	mqtt_props_write_forwarded(&stored, &p->props);
	m.props_size = (uint32_t)stored.n;
	buf_append_str(&stored, p->payload);
	m.props_and_payload = buf_str(&stored);
	require(mqtt_template_init(&t, to.version, &m, &d));
	require(mqtt_template_deliver(&whole, &to, &t, &d) == mqtt_deliver(&pieces_bytes, &to, &m, &d));
	require(str_eq(buf_str(&whole), buf_str(&pieces_bytes)));
	mqtt_template_fini(&t);
	check_received(buf_str(&whole), &to, p, &d);
	buf_clear(&whole);
	buf_clear(&pieces_bytes);
	if (to.version == MQTT_5) {
		d.topic_alias = choice & 4 ? 1 : 0;
		d.alias_known = choice & 8 && d.topic_alias;
		d.subscription_ids = ids;
		d.subscription_id_count = choice & 16 ? 3 : 0;
	}
	require(mqtt_deliver(&whole, &to, &m, &d) == mqtt_deliver_size(to.version, &m, &d));
	require(mqtt_deliver_pieces(&pieces, &to, &m, &d));
	for (size_t i = 0; i < 4; i++)
		buf_append_str(&pieces_bytes, pieces.piece[i]);
	require(str_eq(buf_str(&whole), buf_str(&pieces_bytes)) && pieces.size == whole.n);
	check_received(buf_str(&whole), &to, p, &d);
	buf_fini(&stored);
	buf_fini(&whole);
	buf_fini(&pieces_bytes);
}

static void check_again(const struct any_packet *p, const struct mqtt_peer *from, unsigned version, size_t size)
{
	struct mqtt_peer to = { .version = (uint8_t)version, .server = !from->server }, same = *from;
	struct buf once = { 0 }, twice = { 0 };
	struct any_packet again;
	struct mqtt_error e;

	same.version = (uint8_t)version;
	require(any_encode(&once, &to, p) == once.n && once.n > 0 && once.n <= size);
	require(any_read(buf_str(&once), &same, &again, &e));
	const struct mqtt_props *a = any_props(p), *b = any_props(&again);
	require(!a || a->has == b->has);
	require(any_encode(&twice, &to, &again) == once.n && str_eq(buf_str(&once), buf_str(&twice)));
	/* Without a byte of room it is not written, or shorter. */
	to.packet_max = (uint32_t)once.n - 1;
	buf_clear(&twice);
	require(p->type == MQTT_PINGREQ || p->type == MQTT_PINGRESP || any_encode(&twice, &to, &again) < once.n);
	buf_fini(&once);
	buf_fini(&twice);
}

/* One packet in memory of its own. Returns the version that the stream has from then on. */
static unsigned check_packet(struct str bytes, const struct mqtt_peer *from, unsigned version, unsigned choice)
{
	char *copy = mem_memdup(bytes.p, bytes.n);
	struct mqtt_peer peer = *from;
	struct any_packet p;
	struct mqtt_frame f;
	struct mqtt_error e = { 0 };

	peer.version = (uint8_t)version;
	for (size_t n = 0; n < bytes.n; n++)
		require(mqtt_frame_next(version, copy, n, 0, &f) == MQTT_FRAME_MORE && (f.size == 0 || f.size == bytes.n));
	require(mqtt_frame_next(version, copy, bytes.n, 0, &f) == MQTT_FRAME_WHOLE && f.size == bytes.n);
	require(mqtt_frame_next(version, copy, bytes.n, bytes.n - 1, &f) == MQTT_FRAME_BAD);
	mqtt_frame_next(version, copy, bytes.n, 0, &f);
	if (any_decode(&f, &peer, &p, &e)) {
		if (p.type == MQTT_CONNECT)
			version = p.connect.version;
		check_subscriptions(&p, version);
		check_many(any_props(&p));
		check_again(&p, &peer, version, bytes.n);
		if (p.type == MQTT_PUBLISH && p.publish.topic.n)
			check_delivery(&p.publish, choice);
	} else {
		require(e.reason >= 0x80 && e.why[0] && e.why[0] != '-' && e.rule);
		version = 0xFF;
	}
	mem_free(copy);
	return version;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t versions[] = { MQTT_VERSION_UNKNOWN, MQTT_3_1, MQTT_3_1_1, MQTT_5 };

	if (size < 1 || size > 4096)
		return 0;
	struct mqtt_peer from = { .server = data[0] & 4, .refuse_controls = data[0] & 8, .topic_alias_max = 8, .levels_max = data[0] & 16 };
	struct str in = str_make(data + 1, size - 1);
	unsigned version = versions[data[0] & 3];
	struct mqtt_frame f;
	enum mqtt_frame_result got;

	while (version != 0xFF && (got = mqtt_frame_next(version, in.p, in.n, 0, &f)) == MQTT_FRAME_WHOLE) {
		version = check_packet(str_make(in.p, f.size), &from, version, data[0] ^ (unsigned)f.size);
		in = str_make(in.p + f.size, in.n - f.size);
		got = MQTT_FRAME_MORE;
	}
	if (version != 0xFF && got == MQTT_FRAME_BAD)
		require(f.error.reason >= 0x80 && f.error.why[0] && f.error.rule);
	return 0;
}
