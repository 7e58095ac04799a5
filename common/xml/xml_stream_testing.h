/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of xml_stream only: events become lines of text, and input is fed in pieces of every size. */
#ifndef COMMON_XML_XML_STREAM_TESTING_H
#define COMMON_XML_XML_STREAM_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/xml/xml_stream.h"

#define DECL    "<?xml version='1.0'?>"
#define STREAMS "xmlns:stream='http://etherx.jabber.org/streams'"
#define HEAD    DECL "<stream:stream to='x.org' version='1.0' xmlns='jabber:client' " STREAMS ">"
#define OPENED  "open x.org jabber:client\n"

/* Events as lines of text. */
struct record {
	struct buf log;
	struct xml_stream *stream;
	bool pause, reset_on_node, reset_on_open, stop_on_stanza;
};

static void on_open(const struct xml_header *h, void *ctx)
{
	struct record *r = ctx;

	buf_printf(&r->log, "open %.*s %.*s%s%.*s\n", STR_ARG(h->to), STR_ARG(h->content_ns), h->lang.n ? " " : "", STR_ARG(h->lang));
	if (r->reset_on_open)
		xml_stream_reset(r->stream);
	r->reset_on_open = false;
}

static void log_stanza(struct record *r, const struct stanza *s)
{
	buf_printf(&r->log, "%.*s", STR_ARG(s->bytes));
	if (s->has_to)
		buf_printf(&r->log, " to=%.*s", STR_ARG(s->to_raw));
	if (s->has_from)
		buf_printf(&r->log, " from=%.*s", STR_ARG(s->from_raw));
	if (s->fault)
		buf_append_cstr(&r->log, " FAULT");
	buf_append_char(&r->log, '\n');
}

static void on_element(const struct stanza *s, const struct xml_node *node, void *ctx)
{
	struct record *r = ctx;

	assert_true((s == NULL) != (node == NULL));
	if (s)
		log_stanza(r, s);
	else
		buf_printf(&r->log, "node %.*s %.*s\n", STR_ARG(node->name), STR_ARG(node->ns));
	if (r->pause)
		xml_stream_pause(r->stream);
	if (node && r->reset_on_node)
		xml_stream_reset(r->stream);
	if (s && r->stop_on_stanza)
		xml_stream_stop(r->stream);
	/* What was shown must still be there after a reset: read it again. */
	if (node)
		assert_true(node->name.n > 0 && (node->ns.n == 0 || node->ns.p[node->ns.n - 1] != 0));
}

static void on_close(void *ctx)
{
	buf_append_cstr(&((struct record *)ctx)->log, "close\n");
}

static void on_error(const char *condition, const char *text, void *ctx)
{
	assert_non_null(text);
	buf_printf(&((struct record *)ctx)->log, "error %s\n", condition);
}

static const struct xml_stream_events events = { on_open, on_element, on_close, on_error };
static const struct xml_limits limits = { .stanza_bytes = 1000, .attributes = 8, .depth = 8, .elements = 20, .name_bytes = 100 };

static void begin(struct record *r)
{
	*r = (struct record){ 0 };
	r->stream = xml_stream_new(&limits, &events, r);
}

static void end(struct record *r)
{
	xml_stream_free(&r->stream);
	assert_null(r->stream);
	buf_fini(&r->log);
}

/* Feeds pieces of size `piece`, the first of size `first`. */
static void feed_pieces(struct record *r, struct str in, size_t first, size_t piece)
{
	for (size_t at = 0; at < in.n;) {
		size_t n = at == 0 && first ? first : piece;
		n = n < in.n - at ? n : in.n - at;

		/* A copy of exactly this size, so that the sanitizer sees a look behind the end. */
		char *copy = mem_memdup(in.p + at, n);
		size_t used = xml_stream_feed(r->stream, copy, n);
		mem_free(copy);
		assert_true(used <= n);
		if (used < n)
			return;
		at += n;
	}
}

static void expect_log(struct record *r, const char *want, const char *how, size_t number)
{
	struct str got = buf_str(&r->log);

	if (!str_is(got, want))
		fail_msg("%s %zu: got\n%.*swanted\n%s", how, number, STR_ARG(got), want);
}

static void check(struct str in, const char *want)
{
	struct record r;

	for (size_t first = 1; first <= in.n; first++) {
		begin(&r);
		feed_pieces(&r, in, first, in.n);
		expect_log(&r, want, "cut at", first);
		end(&r);
	}
	for (size_t piece = 1; piece <= 7; piece += 2) {
		begin(&r);
		feed_pieces(&r, in, 0, piece);
		expect_log(&r, want, "in pieces of", piece);
		end(&r);
	}
}

static void check_text(const char *in, const char *want)
{
	check(str_from(in), want);
}

/* In a stream that is open already. */
static void check_in(const char *in, const char *want)
{
	struct buf all = { 0 }, log = { 0 };
	char *a, *b;

	buf_printf(&all, HEAD "%s", in);
	buf_printf(&log, OPENED "%s", want);
	a = buf_take(&all, NULL);
	b = buf_take(&log, NULL);
	check_text(a, b);
	mem_free(a);
	mem_free(b);
}

#endif
