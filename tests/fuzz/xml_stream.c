/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: the XML stream parser. Properties:
 * - the events do not depend on how the bytes are cut;
 * - every accepted stanza's canonical bytes are accepted by xml_parse and written again as the same bytes, and hold no addresses on the root;
 * - expat agrees: it accepts the canonical bytes; what it refuses, we refuse; and what we call not well-formed, it refuses.
 * The first byte of the input says where it is cut. Input that does not begin a stream is read behind an ordinary stream header. */
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/xml/xml_stream.h"

#define HEADER "<stream:stream to='x' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:p='u:p'>"

struct run {
	struct buf log;
	struct xml_stream *stream;
	bool failed, closed;
	bool not_well_formed; /* by a rule that expat knows, too */
	size_t elements;
};

static void require(bool ok, const char *what, struct str at)
{
	if (ok)
		return;
	fprintf(stderr, "property violated: %s\n%.*s\n", what, STR_ARG(at));
	abort();
}

static void log_str(struct run *r, struct str s)
{
	buf_append_str(&r->log, s);
	buf_append_char(&r->log, '\n');
}

static void on_open(const struct xml_header *h, void *ctx)
{
	struct run *r = ctx;

	log_str(r, h->to);
	log_str(r, h->from);
	log_str(r, h->id);
	log_str(r, h->lang);
	log_str(r, h->version);
	log_str(r, h->content_ns);
	require(str_is(h->name_ns, "http://etherx.jabber.org/streams"), "namespace of the root", h->name_ns);
}

/* Accepted bytes, written again, are the same bytes. */
static void check_round(struct str bytes)
{
	struct arena *a = arena_new(0);
	struct buf again = { 0 };
	struct xml_node *n = xml_parse(a, bytes, STR("jabber:client"));

	require(n != NULL, "canonical bytes are parsed", bytes);
	xml_write(&again, n, STR("jabber:client"));
	require(str_eq(buf_str(&again), bytes), "canonical bytes are written again", bytes);
	require(!xml_get(n, "from").p && !xml_get(n, "to").p, "no address on the root", bytes);
	buf_fini(&again);
	arena_free(&a);
}

static void check_expat(struct str bytes)
{
	XML_Parser p = XML_ParserCreateNS("UTF-8", '}');

	require(XML_Parse(p, bytes.p, (int)bytes.n, 1) == XML_STATUS_OK, "expat accepts canonical bytes", bytes);
	XML_ParserFree(p);
}

static void on_element(const struct stanza *s, const struct xml_node *node, void *ctx)
{
	struct run *r = ctx;
	struct buf out = { 0 };

	r->elements++;
	if (!s) {
		xml_write(&out, node, STR("jabber:client"));
		log_str(r, buf_str(&out));
		check_expat(buf_str(&out));
		buf_fini(&out);
		return;
	}
	buf_printf(&r->log, "%d %d %x %u %d %d%d%d %s\n", s->kind, s->type, s->flags, s->children, s->priority, s->has_to, s->has_from,
	           s->has_id, s->fault ? s->fault : "");
	log_str(r, s->id);
	log_str(r, s->to_raw);
	log_str(r, s->from_raw);
	log_str(r, s->child_name);
	log_str(r, s->child_ns);
	log_str(r, s->origin_id);
	log_str(r, s->bytes);
	check_round(s->bytes);
	check_expat(s->bytes);
	/* What goes on the wire is well-formed, too. */
	stanza_write(&out, s->bytes, STR("a@b/'<"), s->to_raw, STR("<x xmlns='u:x'/>"));
	check_expat(buf_str(&out));
	buf_clear(&out);
	stanza_error_bytes(&out, s->kind, s->id, s->bytes, "bad-request", s->child_ns, s->to_raw, STR(""));
	check_round(buf_str(&out));
	buf_fini(&out);
}

static void on_close(void *ctx)
{
	struct run *r = ctx;

	log_str(r, STR("close"));
	r->closed = true;
}

static void on_error(const char *condition, const char *text, void *ctx)
{
	struct run *r = ctx;

	log_str(r, str_from(condition));
	r->failed = true;
	r->not_well_formed = strcmp(condition, "not-well-formed") == 0 && strcmp(text, "a namespace that is no URI") != 0 &&
	                     strcmp(text, "not XML 1.0") != 0;
}

static void run(struct run *r, struct str head, struct str in, size_t piece)
{
	static const struct xml_stream_events events = { on_open, on_element, on_close, on_error };
	static const struct xml_limits limits = { 2000, 12, 12, 60, 60 };

	*r = (struct run){ 0 };
	r->stream = xml_stream_new(&limits, &events, r);
	if (head.n)
		xml_stream_feed(r->stream, head.p, head.n);
	for (size_t at = 0; at < in.n; at += piece) {
		size_t n = piece < in.n - at ? piece : in.n - at;
		/* A copy, so that a look behind its end is seen. */
		char *copy = mem_memdup(in.p + at, n);
		size_t used = xml_stream_feed(r->stream, copy, n);

		mem_free(copy);
		if (used < n)
			break;
		if (xml_stream_resting(r->stream))
			xml_stream_rest(r->stream);
	}
	require(!xml_stream_resting(r->stream) || xml_stream_bytes(r->stream) < 4096, "a resting stream is small", in);
	xml_stream_free(&r->stream);
}

/* Does one more stanza arrive? Only then was nothing open at the end of the input. */
static bool was_between(size_t elements, struct str head, struct str in)
{
	struct buf more = { 0 };
	struct run r;

	buf_append_str(&more, in);
	buf_append_cstr(&more, "<presence/>");
	run(&r, head, buf_str(&more), more.n);
	bool between = !r.failed && r.elements == elements + 1;
	buf_fini(&r.log);
	buf_fini(&more);
	return between;
}

/* Since 2.6.0, and in later security updates of 2.5.0: an older one does not defer anything. */
extern XML_Bool XML_SetReparseDeferralEnabled(XML_Parser parser, XML_Bool enabled) __attribute__((weak));

static void compare_expat(const struct run *r, struct str head, struct str in)
{
	XML_Parser p = XML_ParserCreateNS("UTF-8", '}');

	if (XML_SetReparseDeferralEnabled)
		XML_SetReparseDeferralEnabled(p, XML_FALSE);
	bool ok =
	        (head.n == 0 || XML_Parse(p, head.p, (int)head.n, 0) == XML_STATUS_OK) && XML_Parse(p, in.p, (int)in.n, 0) == XML_STATUS_OK;

	/* Spaces, so that expat does not wait for the rest of a character; a late declaration is refused at its beginning, where expat waits for its
	 * end. */
	if (ok && head.n && r->not_well_formed && !memmem(in.p, in.n, "<?xml", 5))
		require(XML_Parse(p, "    ", 4, 0) != XML_STATUS_OK, "expat accepts what we call not well-formed", in);
	XML_ParserFree(p);
	if (!ok && !r->failed && !r->closed)
		require(!was_between(r->elements, head, in), "expat refuses what we accept", in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 8192)
		return 0;
	struct str in = str_make(data + 1, size - 1), head = { NULL, 0 };
	struct run whole, pieces;

	if (!memmem(in.p, in.n, "stream", 6) || !memmem(in.p, in.n, "etherx", 6))
		head = STR(HEADER);
	run(&whole, head, in, in.n);
	run(&pieces, head, in, 1 + data[0] % 16);
	require(str_eq(buf_str(&whole.log), buf_str(&pieces.log)), "events do not depend on the cut", in);
	compare_expat(&whole, head, in);
	buf_fini(&whole.log);
	buf_fini(&pieces.log);
	return 0;
}
