/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket_conn: the WebSocket as a layer of a connection: the request at its beginning, frames, pings, and the closing handshake (RFC 6455 sections 4 to 7). */
#include "common/base/mem.h"

#include "common/base/clock.h"
#include "common/net/conn_impl.h"

#define FRAME_MAX   65535u /* of a queue without messages: no frame keeps a Pong waiting for long, and its header has four bytes */
#define PONG_BEHIND 65536u /* bytes of queue behind which a Pong waits, so that pings of who does not read take no memory */
#define CLOSE_MS    2000u  /* for our answer to leave and the other side to close */

struct conn_websocket {
	const struct conn_websocket_options *options;
	struct http_reader *http; /* NULL: granted */
	struct websocket frames;
	uint8_t pong[WEBSOCKET_CONTROL_MAX], pong_n;
	uint16_t code;         /* of our Close frame */
	uint8_t end_how;       /* enum conn_end, with end_text: what the end is that is under way */
	const char *end_text;  /* static; NULL: the owner's */
	bool pong_due;         /* section 5.5.3: the newest ping is answered */
	bool message_over;     /* the owner is to hear of it when it has had all of the message */
	bool closing, settled; /* our Close frame is queued; nothing of the other side is waited for */
};

void conn_websocket_free(struct conn_websocket **ws)
{
	if (!*ws)
		return;
	if ((*ws)->http)
		http_reader_fini((*ws)->http);
	mem_free((*ws)->http);
	mem_free(*ws);
	*ws = NULL;
}

int conn_start_websocket(struct conn *c, const struct conn_websocket_options *options)
{
	struct str queued = buf_str(&c->out);
	struct conn_websocket *ws;
	struct conn_spare *s;

	if (conn_z(c) || conn_ws(c) || c->state != CONN_OPEN || (options->type == WEBSOCKET_TEXT && !options->messages))
		return -1;
	ws = mem_new(struct conn_websocket);
	ws->options = options;
	ws->http = mem_new(struct http_reader);
	ws->code = WEBSOCKET_NORMAL;
	websocket_init(&ws->frames, options->type, options->message_max);
	s = conn_spare_layer(c);
	s->ws = ws;
	/* What was said before, and what was left over, is outside. */
	buf_append_str(&s->wire, queued);
	s->taken += queued.n;
	buf_consume(&c->out, queued.n);
	if (s->held.n > s->held.start) {
		s->packed = s->held;
		s->held = (struct buf){ 0 };
		conn_defer(c, CONN_DUE_READ);
	}
	return 0;
}

bool conn_is_websocket(const struct conn *c)
{
	return conn_ws(c) && !c->spare->ws->http;
}

void conn_set_close_code(struct conn *c, enum websocket_code code)
{
	if (conn_ws(c))
		c->spare->ws->code = (uint16_t)code;
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

static bool has_output(const struct conn *c)
{
	return c->out.n > c->out.start;
}

/* One frame of what there is, if there is something. */
static void frame_out(struct conn *c, size_t most)
{
	struct str out = buf_str(&c->out);

	out.n = out.n < most ? out.n : most;
	if (out.n == 0)
		return;
	websocket_frame(&c->spare->wire, c->spare->ws->options->type, out);
	c->spare->taken += out.n;
	buf_consume(&c->out, out.n);
	buf_release(&c->out);
}

void conn_end_message(struct conn *c)
{
	if (!conn_is_websocket(c) || !c->spare->ws->options->messages || c->state != CONN_OPEN)
		return;
	frame_out(c, SIZE_MAX);
	conn_defer(c, CONN_DUE_FLUSH);
}

bool conn_websocket_pack(struct conn *c)
{
	struct conn_websocket *ws = c->spare->ws;
	struct buf *wire = &c->spare->wire;

	if (ws->http || ws->closing)
		return false;
	if (ws->pong_due && wire->n - wire->start < PONG_BEHIND) {
		websocket_frame(wire, WEBSOCKET_PONG, str_make(ws->pong, ws->pong_n));
		ws->pong_due = false;
	}
	/* Frame by frame as they leave: so the bytes are not all kept twice, and it is known closely what is out. */
	if (!ws->options->messages && wire->n - wire->start < FRAME_MAX)
		frame_out(c, FRAME_MAX);
	return ws->pong_due || (!ws->options->messages && has_output(c));
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

void conn_websocket_goodbye(struct conn *c)
{
	struct conn_websocket *ws = c->spare->ws;

	if (ws->http) {
		/* Who has not been granted one has no frames: what the owner put there means nothing to it. */
		buf_consume(&c->out, c->out.n - c->out.start);
		ws->closing = ws->settled = true;
		return;
	}
	while (has_output(c))
		frame_out(c, ws->options->messages ? SIZE_MAX : FRAME_MAX);
	websocket_close_frame(&conn_spare(c)->wire, ws->code, ws->end_text ? ws->end_text : "");
	ws->closing = true;
	/* Bytes that we have not looked at stand before what we wait for. */
	if (c->spare->packed.n > c->spare->packed.start)
		ws->settled = true;
	/* The answer is looked for whatever the owner makes of reading. */
	if (!ws->settled) {
		c->spare->rate = 0;
		conn_defer(c, CONN_DUE_READ);
	}
}

bool conn_websocket_waits(const struct conn *c)
{
	return c->state == CONN_FLUSHING && conn_ws(c) && !c->spare->ws->settled;
}

void conn_websocket_outcome(const struct conn *c, enum conn_end *how, const char **text)
{
	const struct conn_websocket *ws = c->spare->ws;

	if (ws->end_text) {
		*how = (enum conn_end)ws->end_how;
		*text = ws->end_text;
	} else if (c->state != CONN_OPEN && *how == CONN_END_PEER) {
		*how = CONN_END_CLOSED; /* it answered our Close by closing */
	}
}

static void end(struct conn *c, enum conn_end how, const char *text, uint16_t code)
{
	struct conn_websocket *ws = c->spare->ws;

	ws->settled = true;
	if (c->state != CONN_OPEN) {
		conn_flush(c); /* what we waited for is here */
		return;
	}
	ws->end_how = (uint8_t)how;
	ws->end_text = text;
	ws->code = code;
	conn_close(c, CLOSE_MS);
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

static void refuse(struct conn *c, enum http_status status)
{
	http_refuse(&conn_spare(c)->wire, status, clock_wall_us() / 1000000);
	end(c, CONN_END_WEBSOCKET, "the request for a WebSocket was refused", WEBSOCKET_NO_CODE);
}

static void request(struct conn *c)
{
	struct conn_websocket *ws = c->spare->ws;
	struct websocket_request asked;
	struct http_request http;
	enum http_status status = http_reader_parse(ws->http, &http);

	if (status == HTTP_OK)
		status = websocket_handshake(&http, ws->options->protocols, &asked);
	if (status == HTTP_SWITCHING_PROTOCOLS && ws->options->on_request)
		status = ws->options->on_request(c, &asked, c->poll.data);
	if (c->state != CONN_OPEN)
		return; /* the owner has ended it meanwhile */
	if (status != HTTP_SWITCHING_PROTOCOLS) {
		refuse(c, status);
		return;
	}
	websocket_accept(&conn_spare(c)->wire, &asked);
	http_reader_fini(ws->http);
	mem_free(ws->http);
	ws->http = NULL;
	conn_defer(c, CONN_DUE_FLUSH);
}

/* False: not whole yet, or refused. */
static bool read_request(struct conn *c, char **p, size_t *n)
{
	const char *at = *p;
	enum http_status status = http_reader_feed(c->spare->ws->http, &at, n);

	*p += at - *p;
	if (status == HTTP_MORE)
		return false;
	if (status == HTTP_OK)
		request(c);
	else
		refuse(c, status);
	return c->state == CONN_OPEN;
}

static void take_ping(struct conn *c, struct str payload)
{
	struct conn_websocket *ws = c->spare->ws;

	if (payload.n > 0)
		memcpy(ws->pong, payload.p, payload.n);
	ws->pong_n = (uint8_t)payload.n;
	ws->pong_due = true;
	if (c->state == CONN_OPEN)
		conn_defer(c, CONN_DUE_FLUSH);
}

bool conn_websocket_next(struct conn *c, char **p, size_t *n, struct str *out)
{
	struct conn_websocket *ws = conn_ws(c);
	struct websocket_read r;

	*out = (struct str){ 0 };
	if (c->state == CONN_DEAD || (c->state != CONN_OPEN && !conn_websocket_waits(c)))
		return false;
	if (ws->http)
		return read_request(c, p, n);
	switch (websocket_next(&ws->frames, p, n, &r)) {
	case WEBSOCKET_EV_DATA:
		if (c->state != CONN_OPEN)
			return true; /* nobody hears it any more */
		*out = r.data;
		ws->message_over = r.end;
		return true;
	case WEBSOCKET_EV_PING:
		take_ping(c, r.data);
		return true;
	case WEBSOCKET_EV_PONG:
		return true;
	case WEBSOCKET_EV_CLOSE:
		end(c, CONN_END_PEER, "", r.code);
		return false;
	case WEBSOCKET_EV_BAD:
		end(c, CONN_END_WEBSOCKET, r.text, r.code);
		return false;
	default:
		return false;
	}
}

void conn_websocket_had(struct conn *c)
{
	struct conn_websocket *ws = conn_ws(c);

	if (c->state != CONN_OPEN || !ws || !ws->message_over || c->spare->held.n > c->spare->held.start)
		return;
	ws->message_over = false;
	if (ws->options->on_message)
		ws->options->on_message(c, c->poll.data);
}
