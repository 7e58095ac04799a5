/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests and fuzz targets of MQTT only: packets written as text, and any packet read and written by its type. */
#ifndef COMMON_MQTT_MQTT_FOR_TEST_H
#define COMMON_MQTT_MQTT_FOR_TEST_H

#include <stdlib.h>

#include "common/mqtt/mqtt_decode.h"
#include "common/mqtt/mqtt_encode.h"

static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c < 'A' || c > 'F')
		abort();
	return c - 'A' + 10;
}

static inline const char *packet_text(struct buf *out, const char *text);

/* What stands in brackets, or up to the end, with its length as a Variable Byte Integer before it. */
static inline const char *packet_text_counted(struct buf *out, const char *text)
{
	struct buf inner = { 0 };
	uint8_t length[4];

	text = packet_text(&inner, text);
	buf_append(out, length, mqtt_varint_write((uint32_t)(inner.n - inner.start), length));
	buf_append_str(out, buf_str(&inner));
	buf_fini(&inner);
	return text;
}

/* Bytes as hexadecimal digits (spaces do not matter), 'text' as it is, s'text' with two bytes of length before it, (...) with its length
 * before it as a Variable Byte Integer, and '.' for the length of all that follows. "30 . s'topic' () 'payload'" is a PUBLISH of 5.0. */
static inline const char *packet_text(struct buf *out, const char *text)
{
	while (*text && *text != ')') {
		const char *end = text + 1;

		if (*text == '\'' || *text == 's') {
			const char *from = *text == 's' ? text + 2 : text + 1;

			end = strchr(from, '\'');
			if (*text == 's') {
				buf_append_char(out, (char)((end - from) >> 8));
				buf_append_char(out, (char)(end - from));
			}
			buf_append(out, from, (size_t)(end - from));
			end++;
		} else if (*text == '(') {
			end = packet_text_counted(out, text + 1) + 1;
		} else if (*text == '.') {
			end = packet_text_counted(out, text + 1);
		} else if (*text != ' ') {
			buf_append_char(out, (char)(hex_digit(text[0]) << 4 | hex_digit(text[1])));
			end = text + 2;
		}
		text = end;
	}
	return text;
}

/* Any packet. */
struct any_packet {
	uint8_t type;
	union {
		struct mqtt_connect connect;
		struct mqtt_connack connack;
		struct mqtt_publish publish;
		struct mqtt_ack ack;
		struct mqtt_subscribe subscribe;
		struct mqtt_suback suback;
		struct mqtt_unsubscribe unsubscribe;
		struct mqtt_disconnect disconnect;
		struct mqtt_auth auth;
	};
};

static inline bool any_decode(const struct mqtt_frame *f, const struct mqtt_peer *from, struct any_packet *out, struct mqtt_error *e)
{
	out->type = f->type;
	switch (f->type) {
	case MQTT_CONNECT:
		return mqtt_decode_connect(f, from, &out->connect, e);
	case MQTT_CONNACK:
		return mqtt_decode_connack(f, from, &out->connack, e);
	case MQTT_PUBLISH:
		return mqtt_decode_publish(f, from, &out->publish, e);
	case MQTT_SUBSCRIBE:
		return mqtt_decode_subscribe(f, from, &out->subscribe, e);
	case MQTT_UNSUBSCRIBE:
		return mqtt_decode_unsubscribe(f, from, &out->unsubscribe, e);
	case MQTT_SUBACK:
	case MQTT_UNSUBACK:
		return mqtt_decode_suback(f, from, &out->suback, e);
	case MQTT_PINGREQ:
	case MQTT_PINGRESP:
		return mqtt_decode_ping(f, from, e);
	case MQTT_DISCONNECT:
		return mqtt_decode_disconnect(f, from, &out->disconnect, e);
	case MQTT_AUTH:
		return mqtt_decode_auth(f, from, &out->auth, e);
	default:
		return mqtt_decode_ack(f, from, &out->ack, e);
	}
}

static inline size_t any_encode(struct buf *out, const struct mqtt_peer *to, const struct any_packet *p)
{
	switch (p->type) {
	case MQTT_CONNECT:
		return mqtt_encode_connect(out, to, &p->connect);
	case MQTT_CONNACK:
		return mqtt_encode_connack(out, to, &p->connack);
	case MQTT_PUBLISH:
		return mqtt_encode_publish(out, to, &p->publish);
	case MQTT_SUBSCRIBE:
		return mqtt_encode_subscribe(out, to, &p->subscribe);
	case MQTT_UNSUBSCRIBE:
		return mqtt_encode_unsubscribe(out, to, &p->unsubscribe);
	case MQTT_SUBACK:
		return mqtt_encode_suback(out, to, &p->suback);
	case MQTT_UNSUBACK:
		return mqtt_encode_unsuback(out, to, &p->suback);
	case MQTT_PINGREQ:
		return mqtt_encode_pingreq(out);
	case MQTT_PINGRESP:
		return mqtt_encode_pingresp(out);
	case MQTT_DISCONNECT:
		return mqtt_encode_disconnect(out, to, &p->disconnect);
	case MQTT_AUTH:
		return mqtt_encode_auth(out, to, &p->auth);
	default:
		return mqtt_encode_ack(out, to, p->type, &p->ack);
	}
}

/* The properties of any packet; NULL: it has none. */
static inline const struct mqtt_props *any_props(const struct any_packet *p)
{
	switch (p->type) {
	case MQTT_CONNECT:
		return &p->connect.props;
	case MQTT_CONNACK:
		return &p->connack.props;
	case MQTT_PUBLISH:
		return &p->publish.props;
	case MQTT_SUBSCRIBE:
		return &p->subscribe.props;
	case MQTT_UNSUBSCRIBE:
		return &p->unsubscribe.props;
	case MQTT_SUBACK:
	case MQTT_UNSUBACK:
		return &p->suback.props;
	case MQTT_DISCONNECT:
		return &p->disconnect.props;
	case MQTT_AUTH:
		return &p->auth.props;
	case MQTT_PINGREQ:
	case MQTT_PINGRESP:
		return NULL;
	default:
		return &p->ack.props;
	}
}

/* Reads the one packet that the bytes are. False: *e, if it is a whole packet that is refused; e->reason is 0 when it is not whole. */
static inline bool any_read(struct str bytes, const struct mqtt_peer *from, struct any_packet *out, struct mqtt_error *e)
{
	bool first = bytes.n && (uint8_t)bytes.p[0] >> 4 == MQTT_CONNECT;
	struct mqtt_frame f;
	enum mqtt_frame_result got = mqtt_frame_next(first ? MQTT_VERSION_UNKNOWN : from->version, bytes.p, bytes.n, 0, &f);

	*e = f.error;
	return got == MQTT_FRAME_WHOLE && f.size == bytes.n && any_decode(&f, from, out, e);
}

#endif
