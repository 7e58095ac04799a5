/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: what another server sends, as s2s reads it before anything has an effect: the parser in the namespace of servers, the event that each element
 * is, names in dialback elements, the key of a message. Properties:
 * - the events do not depend on how the bytes are cut;
 * - a stanza is a stanza, whatever its namespace says, and nothing else is; what is no event is told as such;
 * - without its key a message is canonical as before, and a key that is put behind it comes off again as it was.
 * The first byte of the input says where it is cut. Input that does not begin a stream is read behind an ordinary stream header. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "services/s2s/s2s.h"

#define HEADER                                                                                                                             \
	"<stream:stream from='a.example' to='b.example' version='1.0' xmlns='" S2S_NS_SERVER "' xmlns:stream='" S2S_NS_STREAM              \
	"' xmlns:db='" S2S_NS_DIALBACK "'>"

struct run {
	struct buf log;
	struct arena *arena;
	struct xml_stream *stream;
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
	log_str(ctx, h->from);
	log_str(ctx, h->to);
	log_str(ctx, h->id);
}

/* What is a domain stays what it is when it is prepared again. */
static void check_domain(struct run *r, struct str name)
{
	char once[JID_PART_MAX + 1], twice[JID_PART_MAX + 1];
	size_t n, again;

	if (!name.n || jid_prep_domain(name, once, &n) != JID_OK)
		return;
	require(jid_prep_domain(str_make(once, n), twice, &again) == JID_OK && n == again && memcmp(once, twice, n) == 0,
	        "a prepared domain is prepared", name);
	log_str(r, str_make(once, n));
}

static void check_canonical(struct run *r, struct str bytes)
{
	const struct xml_node *node = xml_parse(r->arena, bytes, STR(S2S_NS_SERVER));
	struct buf again = { 0 };

	require(node != NULL, "what is left of a message is parsed", bytes);
	xml_write(&again, node, STR(S2S_NS_SERVER));
	require(str_eq(buf_str(&again), bytes), "what is left of a message is canonical", bytes);
	buf_fini(&again);
}

static void check_key(struct run *r, const struct stanza *s)
{
	struct s2s_key taken = { 0 }, back = { 0 };
	struct s2s_key put = { .stream = 0x0123456789abcdefu, .number = r->log.n, .age_s = r->log.n % 2, .again = r->log.n % 2 };
	struct buf rest = { 0 }, with = { 0 }, extra = { 0 }, none = { 0 };
	struct str bytes = s2s_key_take(&rest, r->arena, s->bytes, &taken);

	check_canonical(r, bytes);
	buf_printf(&r->log, "%llx %llu %d\n", (unsigned long long)taken.stream, (unsigned long long)taken.number, taken.again);
	s2s_key_add(&extra, &put);
	stanza_write(&with, bytes, STR(""), STR(""), buf_str(&extra));
	s2s_key_take(&none, r->arena, buf_str(&with), &back);
	require(back.stream == put.stream && back.number == put.number && back.again == put.again && back.age_s == put.age_s,
	        "the key comes off", buf_str(&with));
	buf_fini(&rest);
	buf_fini(&with);
	buf_fini(&extra);
	buf_fini(&none);
}

static void on_element(const struct stanza *s, const struct xml_node *node, void *ctx)
{
	struct run *r = ctx;
	enum s2s_event event = s2s_classify(s, node);

	buf_printf(&r->log, "%d\n", (int)event);
	require((event == S2S_EV_STANZA) == (s != NULL), "a stanza is one", s ? s->bytes : node->name);
	require(event > S2S_EV_HEADER && event <= S2S_EV_UNKNOWN, "an element is an element's event", s ? s->bytes : node->name);
	if (event == S2S_EV_RESULT || event == S2S_EV_VERIFY) {
		check_domain(r, xml_get(node, "from"));
		check_domain(r, xml_get(node, "to"));
		log_str(r, xml_text(r->arena, node));
	}
	if (s && s->kind == STANZA_MESSAGE)
		check_key(r, s);
	arena_reset(r->arena);
}

static void on_close(void *ctx)
{
	log_str(ctx, STR("close"));
}

static void on_error(const char *condition, const char *text, void *ctx)
{
	(void)text;
	log_str(ctx, str_from(condition));
}

static void run(struct run *r, struct str head, struct str in, size_t piece)
{
	static const struct xml_stream_events events = { on_open, on_element, on_close, on_error };
	static const struct xml_limits limits = { 2000, 12, 12, 60, 60 };

	*r = (struct run){ .arena = arena_new(0) };
	r->stream = xml_stream_new(&limits, &events, r);
	if (head.n)
		xml_stream_feed(r->stream, head.p, head.n);
	for (size_t at = 0; at < in.n; at += piece) {
		size_t n = piece < in.n - at ? piece : in.n - at, used;
		char *copy = mem_memdup(in.p + at, n); /* so that a look behind its end is seen */

		used = xml_stream_feed(r->stream, copy, n);
		mem_free(copy);
		if (used < n)
			break;
	}
	xml_stream_free(&r->stream);
	arena_free(&r->arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in, head = { NULL, 0 };
	struct run whole, pieces;

	if (size < 2 || size > 8192)
		return 0;
	in = str_make((const char *)data + 1, size - 1);
	if (!memmem(in.p, in.n, "etherx", 6))
		head = STR(HEADER);
	run(&whole, head, in, in.n);
	run(&pieces, head, in, 1 + data[0] % 16);
	require(str_eq(buf_str(&whole.log), buf_str(&pieces.log)), "events do not depend on the cut", in);
	buf_fini(&whole.log);
	buf_fini(&pieces.log);
	return 0;
}
