/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_stream: see xml_stream.h. Here the parts meet: the frame finds where things end, a worker reads them, the head remembers the namespaces.
 * A stream at rest is this struct and its head. */
#include "common/xml/xml_stream.h"

#include "common/base/mem.h"
#include "common/xml/xml_frame.h"
#include "common/xml/xml_worker.h"

enum phase { PHASE_HEADER, PHASE_OPEN, PHASE_DEAD };

struct xml_stream {
	struct xml_limits limits;
	const struct xml_stream_events *events;
	void *ctx;
	struct xml_head *head;
	struct xml_reader *reader; /* while an element is being read */
	struct buf held;           /* the beginning of a tag or reference (or the header) that is not complete, or the end of a text */
	size_t count;              /* bytes of the element or header so far */
	struct xml_frame frame;
	uint8_t phase;
	bool restarted; /* the header expected is not the first */
	bool in_callback;
	bool paused, reset_wanted, was_reset;
};

static void expect_header(struct xml_stream *s)
{
	xml_head_free(&s->head);
	xml_worker_give(&s->reader);
	buf_fini(&s->held);
	s->count = 0;
	s->frame = (struct xml_frame){ .header = true, .may_declare = true };
	s->phase = PHASE_HEADER;
}

struct xml_stream *xml_stream_new(const struct xml_limits *limits, const struct xml_stream_events *events, void *ctx)
{
	struct xml_stream *s = mem_new(struct xml_stream);

	s->limits = *limits;
	s->events = events;
	s->ctx = ctx;
	expect_header(s);
	return s;
}

void xml_stream_free(struct xml_stream **ps)
{
	struct xml_stream *s = *ps;

	*ps = NULL;
	if (!s)
		return;
	expect_header(s);
	mem_free(s);
}

void xml_stream_set_limits(struct xml_stream *s, const struct xml_limits *limits)
{
	s->limits = *limits;
}

static void die(struct xml_stream *s)
{
	expect_header(s);
	s->phase = PHASE_DEAD;
}

static void fail(struct xml_stream *s, const char *condition, const char *text)
{
	if (s->phase == PHASE_DEAD)
		return;
	die(s);
	s->events->on_error(condition, text, s->ctx);
}

static void fail_by_canon(struct xml_stream *s)
{
	const struct xml_canon *c = &s->reader->canon;

	fail(s, c->condition ? c->condition : "not-well-formed", c->text ? c->text : "");
}

/* After a callback: what it asked for. Nothing that the callback was shown is freed before. */
static void settle(struct xml_stream *s)
{
	s->in_callback = false;
	if (!s->reset_wanted)
		return;
	bool dead = s->phase == PHASE_DEAD;
	s->reset_wanted = false;
	s->was_reset = true;
	expect_header(s);
	s->restarted = true;
	if (dead)
		s->phase = PHASE_DEAD;
}

static void deliver(struct xml_stream *s)
{
	struct xml_canon *c = &s->reader->canon;
	const struct stanza *stanza = xml_canon_stanza(c);
	const struct xml_node *node = NULL;

	if (!c->done) {
		fail(s, "not-well-formed", "tags that do not match");
		return;
	}
	if (!stanza) {
		node = xml_parse(c->arena, buf_str(&c->out), xml_canon_outer_ns(s->head));
		if (!node) {
			fail(s, "policy-violation", "too many or too deeply nested elements");
			return;
		}
	}
	s->count = 0;
	s->in_callback = true;
	s->events->on_element(stanza, node, s->ctx);
	xml_worker_give(&s->reader);
	settle(s);
}

static void deliver_header(struct xml_stream *s)
{
	struct xml_header header;

	s->reader = xml_worker_take();
	xml_reader_begin(s->reader, NULL, &s->limits);
	s->head = xml_reader_header(s->reader, buf_str(&s->held), &header);
	if (!s->head) {
		fail_by_canon(s);
		return;
	}
	s->count = 0;
	s->phase = PHASE_OPEN;
	s->in_callback = true;
	s->events->on_open(&header, s->ctx);
	buf_fini(&s->held);
	xml_worker_give(&s->reader);
	settle(s);
}

/* The held end tag must repeat the root's name, with white space behind it at most. */
static void deliver_close(struct xml_stream *s)
{
	struct str tag = buf_str(&s->held), root = xml_head_root(s->head);
	size_t n = tag.n - 1;

	while (n > 2 && memchr(" \t\r\n", tag.p[n - 1], 4))
		n--;
	if (!str_eq(str_make(tag.p + 2, n - 2), root)) {
		fail(s, "not-well-formed", "mismatched tag");
		return;
	}
	die(s);
	s->in_callback = true;
	s->events->on_close(s->ctx);
	settle(s);
}

static bool read_piece(struct xml_stream *s, struct str piece)
{
	if (!s->reader) {
		s->reader = xml_worker_take();
		xml_reader_begin(s->reader, s->head, &s->limits);
	}
	if (xml_reader_feed(s->reader, piece))
		return true;
	fail_by_canon(s);
	return false;
}

/* Hands whole tags and text to the reader: what was held, and the first `whole` of n bytes, in one piece. The rest is held. */
static bool read_whole(struct xml_stream *s, const char *p, size_t n, size_t whole, bool ends_in_text)
{
	if (whole == XML_FRAME_NONE) {
		buf_append(&s->held, p, n);
		return true;
	}
	bool was_held = s->held.n > 0;
	if (was_held)
		buf_append(&s->held, p, whole);
	struct str piece = was_held ? buf_str(&s->held) : str_make(p, whole);
	size_t tail = ends_in_text ? xml_reader_tail(piece) : 0;

	piece.n -= tail;
	if (piece.n > 0 && !read_piece(s, piece))
		return false;
	if (was_held)
		buf_consume(&s->held, piece.n);
	else
		buf_append(&s->held, p + piece.n, tail);
	buf_append(&s->held, p + whole, n - whole);
	buf_release(&s->held);
	return true;
}

static void refuse(struct xml_stream *s, enum xml_frame_event event)
{
	switch (event) {
	case XML_FRAME_RESTRICTED:
		fail(s, "restricted-xml", "comments, processing instructions, DTDs and entities are not allowed");
		break;
	case XML_FRAME_TEXT:
		fail(s, "bad-format", "text between stanzas");
		break;
	case XML_FRAME_ENCODING:
		fail(s, "unsupported-encoding", "the encoding must be UTF-8");
		break;
	default:
		fail(s, "not-well-formed", "not XML");
	}
}

/* Whitespace between elements (RFC 6120 section 4.6.1) is taken here. Before the first header it rules out an XML declaration; before a later one
 * it may be what a person typed behind the last element of the stream before. */
static size_t skip_space(struct xml_stream *s, const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && (p[i] == ' ' || p[i] == '\t' || p[i] == '\r' || p[i] == '\n'))
		i++;
	if (i > 0 && s->phase == PHASE_HEADER && s->count == 0 && !s->restarted)
		s->frame.may_declare = false;
	return i;
}

static void step(struct xml_stream *s, const char *p, size_t n, size_t whole, enum xml_frame_event event, bool at_limit)
{
	bool header = s->phase == PHASE_HEADER;

	/* A header and the stream's end tag are kept until they are complete. */
	if (header || event == XML_FRAME_CLOSE)
		whole = XML_FRAME_NONE;
	if (!read_whole(s, p, n, whole, event == XML_FRAME_MORE && whole == n))
		return;
	if (event == XML_FRAME_START)
		deliver_header(s);
	else if (event == XML_FRAME_ELEMENT)
		deliver(s);
	else if (event == XML_FRAME_CLOSE)
		deliver_close(s);
	else if (event != XML_FRAME_MORE && event != XML_FRAME_DECLARATION)
		refuse(s, event);
	else if (at_limit)
		fail(s, "policy-violation", header ? "the stream header is too large" : "the stanza is too large");
}

size_t xml_stream_feed(struct xml_stream *s, const void *bytes, size_t n)
{
	const char *p = bytes;
	size_t used = 0;

	/* Behind a reset, what follows is the new stream's, or another layer's. */
	s->paused = s->was_reset = false;
	while (used < n && !s->paused && !s->was_reset && s->phase != PHASE_DEAD) {
		enum xml_frame_event event;
		size_t whole, room, scanned;

		if (xml_frame_between(&s->frame)) {
			used += skip_space(s, p + used, n - used);
			if (used == n)
				break;
		}
		room = s->limits.stanza_bytes > s->count ? s->limits.stanza_bytes - s->count : 0;
		room = room < n - used ? room : n - used;
		scanned = xml_frame_scan(&s->frame, p + used, room, &whole, &event);
		s->count += scanned;
		step(s, p + used, scanned, whole, event, scanned == room && room < n - used);
		used += scanned;
	}
	return used;
}

void xml_stream_stop(struct xml_stream *s)
{
	if (s->in_callback)
		s->phase = PHASE_DEAD;
	else
		die(s);
}

void xml_stream_pause(struct xml_stream *s)
{
	s->paused = true;
}

void xml_stream_reset(struct xml_stream *s)
{
	s->reset_wanted = true;
	if (!s->in_callback)
		settle(s);
}

bool xml_stream_resting(const struct xml_stream *s)
{
	return s->phase == PHASE_OPEN && xml_frame_between(&s->frame) && s->held.n == 0 && !s->reader;
}

void xml_stream_rest(struct xml_stream *s)
{
	if (xml_stream_resting(s))
		buf_fini(&s->held);
}

size_t xml_stream_bytes(const struct xml_stream *s)
{
	return sizeof(*s) + s->held.cap + (s->head ? xml_head_bytes(s->head) : 0) + (s->reader ? xml_worker_bytes(s->reader) : 0);
}
