/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt_frame: where a packet begins and ends: the fixed header (section 2.1). Looks at five bytes at most and allocates nothing; call it
 * on every read. */
#ifndef COMMON_MQTT_MQTT_FRAME_H
#define COMMON_MQTT_MQTT_FRAME_H

#include "common/mqtt/mqtt.h"

struct mqtt_frame {
	uint8_t type;    /* enum mqtt_type */
	uint8_t flags;   /* the low four bits of the first byte */
	uint8_t head;    /* bytes of the fixed header */
	bool overlong;   /* the length has more bytes than it needs */
	size_t size;     /* of the whole packet; 0: not known yet */
	struct str body; /* what follows the fixed header, in the caller's memory; set when the packet is whole */
	struct mqtt_error error;
};

enum mqtt_frame_result {
	MQTT_FRAME_MORE,  /* it is not all there; frame->size says how much it is, once that is known */
	MQTT_FRAME_WHOLE, /* frame->size bytes are a packet */
	MQTT_FRAME_BAD    /* frame->error; nothing can be read from this peer any more. frame->type is valid */
};

/* The packet at the front of p[0..n). version is the connection's; MQTT_VERSION_UNKNOWN at a server before CONNECT, when anything else is
 * refused by its first byte. A packet of more than packet_max bytes is refused by its header: it never has to be buffered. packet_max 0:
 * any size. */
enum mqtt_frame_result mqtt_frame_next(unsigned version, const void *p, size_t n, size_t packet_max, struct mqtt_frame *frame);

/* Variable Byte Integers (1.5.5). Bytes that value needs: 1 to 4, 0 when it is above MQTT_VARINT_MAX. */
size_t mqtt_varint_size(size_t value);
/* out has room for 4 bytes. Returns how many were written. */
size_t mqtt_varint_write(uint32_t value, uint8_t *out);
/* Bytes read, 0: more are needed, 5: there is no end within four. */
size_t mqtt_varint_read(const void *p, size_t n, uint32_t *out);

#endif
