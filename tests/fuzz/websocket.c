/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: a client's frames. The first byte says where the rest is cut, the second what messages must be, and the longest. Properties: what comes out does not
 * depend on the cut; what is delivered of a text is UTF-8 and no message passes the limit; what comes out, written as frames of ours and masked as a client's,
 * comes out again. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/net/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct websocket ws;
	struct buf log;     /* events; pieces of a message joined */
	struct buf message; /* the one that has begun */
	struct buf frames;  /* all of it again, as a client would write it */
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* One of our frames, with the bit and a key that make it a client's. */
static void write_frame(struct buf *out, enum websocket_opcode opcode, struct str payload)
{
	static const uint8_t mask[4] = { 1, 2, 3, 250 };
	struct buf frame = { 0 };
	size_t head;

	websocket_frame(&frame, opcode, payload);
	head = frame.n - payload.n;
	frame.p[1] = (char)(frame.p[1] | 0x80);
	websocket_mask(frame.p + head, payload.n, mask, 0);
	buf_append(out, frame.p, head);
	buf_append(out, mask, 4);
	buf_append(out, frame.p + head, payload.n);
	buf_fini(&frame);
}

static void on_data(struct run *r, const struct websocket_read *read)
{
	buf_append_str(&r->message, read->data);
	require(!r->ws.message_max || r->message.n <= r->ws.message_max);
	if (!read->end)
		return;
	require(r->ws.type != WEBSOCKET_TEXT || utf8_valid(buf_str(&r->message)));
	buf_printf(&r->log, "message %zu ", r->message.n);
	buf_append_str(&r->log, buf_str(&r->message));
	write_frame(&r->frames, r->ws.type, buf_str(&r->message));
	buf_clear(&r->message);
}

static void on_event(struct run *r, enum websocket_event event, const struct websocket_read *read)
{
	struct buf close = { 0 };

	switch (event) {
	case WEBSOCKET_EV_DATA:
		on_data(r, read);
		return;
	case WEBSOCKET_EV_PING:
	case WEBSOCKET_EV_PONG:
		require(read->data.n <= WEBSOCKET_CONTROL_MAX);
		buf_printf(&r->log, "control %d ", event);
		buf_append_str(&r->log, read->data);
		return;
	default:
		require(event == WEBSOCKET_EV_CLOSE || (event == WEBSOCKET_EV_BAD && read->text));
		buf_printf(&r->log, "end %d %u", event, read->code);
		/* What we answer with is a frame that can be sent. */
		websocket_close_frame(&close, read->code, read->text ? read->text : "");
		require(close.n >= 2 && close.n <= 2 + WEBSOCKET_CONTROL_MAX && close.p[1] == (char)(close.n - 2));
		buf_fini(&close);
	}
}

static void run(struct run *r, enum websocket_opcode type, uint64_t max, struct str in, size_t piece)
{
	*r = (struct run){ 0 };
	websocket_init(&r->ws, type, max);
	for (size_t at = 0; at < in.n; at += piece) {
		size_t n = piece < in.n - at ? piece : in.n - at, left = n;
		char *copy = mem_memdup(in.p + at, n), *p = copy;
		enum websocket_event event;
		struct websocket_read read;

		while ((event = websocket_next(&r->ws, &p, &left, &read)) != WEBSOCKET_EV_NONE)
			on_event(r, event, &read);
		require(left == 0 || r->ws.over);
		mem_free(copy);
	}
}

static void done(struct run *r)
{
	buf_fini(&r->log);
	buf_fini(&r->message);
	buf_fini(&r->frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run whole, pieces, again;
	enum websocket_opcode type;
	uint64_t max;
	struct str in;

	if (size < 3 || size > 100000)
		return 0;
	type = data[1] & 1 ? WEBSOCKET_TEXT : WEBSOCKET_BINARY;
	max = data[1] >> 1;
	in = str_make(data + 2, size - 2);
	run(&whole, type, max, in, in.n);
	run(&pieces, type, max, in, 1 + data[0]);
	require(str_eq(buf_str(&whole.log), buf_str(&pieces.log)) && whole.ws.over == pieces.ws.over);
	run(&again, type, max, buf_str(&whole.frames), whole.frames.n + 1);
	require(str_eq(buf_str(&again.frames), buf_str(&whole.frames)) && !again.ws.over);
	done(&whole);
	done(&pieces);
	done(&again);
	return 0;
}
