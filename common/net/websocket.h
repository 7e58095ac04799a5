/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket: frames of RFC 6455, server side, without I/O: a client's bytes in, events out; and frames for it into a buffer. No extensions. Payload is not
 * gathered: a piece of a message goes out as it came in, so that neither a long frame nor a long message takes memory here. */
#ifndef COMMON_NET_WEBSOCKET_H
#define COMMON_NET_WEBSOCKET_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/text/utf8.h"

#define WEBSOCKET_CONTROL_MAX 125u /* bytes of a control frame; section 5.5 */
#define WEBSOCKET_HEADER_MAX  10u  /* of ours, which have no mask */

enum websocket_opcode {
	WEBSOCKET_CONTINUATION = 0,
	WEBSOCKET_TEXT = 1,
	WEBSOCKET_BINARY = 2,
	WEBSOCKET_CLOSE = 8,
	WEBSOCKET_PING = 9,
	WEBSOCKET_PONG = 10,
};

/* Section 7.4.1. */
enum websocket_code {
	WEBSOCKET_NORMAL = 1000,
	WEBSOCKET_GOING_AWAY = 1001,
	WEBSOCKET_PROTOCOL_ERROR = 1002,
	WEBSOCKET_WRONG_TYPE = 1003,
	WEBSOCKET_NO_CODE = 1005, /* a Close frame without one; never sent */
	WEBSOCKET_BAD_DATA = 1007,
	WEBSOCKET_POLICY = 1008,
	WEBSOCKET_TOO_BIG = 1009,
	WEBSOCKET_INTERNAL = 1011,
};

struct websocket {
	uint64_t left;        /* of the frame's payload */
	uint64_t message;     /* bytes of the message so far, those of the frame that has begun included */
	uint64_t message_max; /* 0: any */
	struct utf8_state utf8;
	uint8_t type;     /* WEBSOCKET_TEXT or WEBSOCKET_BINARY: what a message must be */
	uint8_t head[14]; /* longest header: two bytes, length, mask */
	uint8_t head_n;
	uint8_t mask[4], phase; /* which byte of it is next */
	bool in_payload, in_message, over;
	uint8_t control[WEBSOCKET_CONTROL_MAX];
	uint8_t control_n;
};

enum websocket_event {
	WEBSOCKET_EV_NONE,  /* all bytes are used, or the end has come */
	WEBSOCKET_EV_DATA,  /* data, perhaps empty; end tells whether the message ends here */
	WEBSOCKET_EV_PING,  /* data is to come back in a Pong */
	WEBSOCKET_EV_PONG,  /* data */
	WEBSOCKET_EV_CLOSE, /* code. What follows is not looked at */
	WEBSOCKET_EV_BAD,   /* the other side broke a rule: code to close with, text. What follows is not looked at */
};

struct websocket_read {
	struct str data; /* in the caller's bytes, or in the websocket's; until the next call */
	bool end;
	uint16_t code;
	const char *text; /* static */
};

/* type: what messages must be; others are refused with 1003. message_max: longest message, bytes; 0: any. */
void websocket_init(struct websocket *w, enum websocket_opcode type, uint64_t message_max);
/* Moves *p and *n behind what it used. The bytes themselves change: they are unmasked where they are. */
enum websocket_event websocket_next(struct websocket *w, char **p, size_t *n, struct websocket_read *out);

/* One whole frame, FIN set. Control frames carry at most WEBSOCKET_CONTROL_MAX bytes. */
void websocket_frame(struct buf *out, enum websocket_opcode opcode, struct str payload);
/* A Close frame; WEBSOCKET_NO_CODE: without a code. reason: UTF-8, cut at what fits. */
void websocket_close_frame(struct buf *out, uint16_t code, const char *reason);
/* XOR with a key of four bytes, from its byte `phase` (0..3) on; returns the phase of the byte behind. */
uint8_t websocket_mask(char *p, size_t n, const uint8_t mask[4], uint8_t phase);

#endif
