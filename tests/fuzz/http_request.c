/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: the request that a WebSocket begins with. The first byte says where the rest is cut. Properties: the status and the bytes used do not depend on the
 * cut; nothing is taken that has a bare CR or LF, or that is beyond the limits; what is taken, written again from its parts, is taken again and says the same;
 * what is granted had one key, version 13, no content. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/net/websocket_handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static enum http_status feed(struct http_reader *r, struct str in, size_t piece, size_t *out_used)
{
	enum http_status status = HTTP_MORE;
	size_t at = 0;

	*r = (struct http_reader){ 0 };
	while (at < in.n && status == HTTP_MORE) {
		size_t n = piece < in.n - at ? piece : in.n - at, left = n;
		char *copy = mem_memdup(in.p + at, n);
		const char *p = copy;

		status = http_reader_feed(r, &p, &left);
		require(p == copy + (n - left));
		at += n - left;
		mem_free(copy);
	}
	*out_used = at;
	return status;
}

/* The reader's own judgement of lines, by another way: every CR before a LF, every LF behind a CR. */
static void check_lines(struct str head)
{
	for (size_t i = 0; i < head.n; i++) {
		require(head.p[i] != '\r' || (i + 1 < head.n && head.p[i + 1] == '\n'));
		require(head.p[i] != '\n' || (i > 0 && head.p[i - 1] == '\r'));
	}
	require(head.n <= HTTP_HEAD_MAX && head.n >= 4 && memcmp(head.p + head.n - 4, "\r\n\r\n", 4) == 0);
}

static void check_parts(const struct http_request *r)
{
	require(r->path.n > 0 && r->path.p[0] == '/' && r->count <= HTTP_FIELDS_MAX && http_is_token(r->method));
	for (size_t i = 0; i < r->count; i++) {
		const struct http_field *f = &r->fields[i];

		require(http_is_token(f->name));
		require(f->value.n == 0 || (f->value.p[0] != ' ' && f->value.p[f->value.n - 1] != ' '));
	}
}

static void check_again(const struct http_request *r)
{
	struct http_request again;
	struct http_reader reader;
	struct buf out = { 0 };
	size_t used;

	buf_printf(&out, "%.*s %.*s%s%.*s HTTP/1.%u\r\n", STR_ARG(r->method), STR_ARG(r->path), r->query.n ? "?" : "", STR_ARG(r->query),
	           r->minor);
	for (size_t i = 0; i < r->count; i++) {
		if (!http_same(r->fields[i].name, STR("host")))
			buf_printf(&out, "%.*s:%.*s\r\n", STR_ARG(r->fields[i].name), STR_ARG(r->fields[i].value));
	}
	if (r->host.n)
		buf_printf(&out, "Host: %.*s\r\n", STR_ARG(r->host));
	buf_append_cstr(&out, "\r\n");
	/* A Host that was not said, in the place of an absolute target, may be one field or a few bytes too many. */
	if (r->count < HTTP_FIELDS_MAX && out.n <= HTTP_HEAD_MAX) {
		require(feed(&reader, buf_str(&out), out.n, &used) == HTTP_OK && used == out.n);
		require(http_reader_parse(&reader, &again) == HTTP_OK);
		require(str_eq(again.path, r->path) && str_eq(again.query, r->query) && str_eq(again.host, r->host));
		http_reader_fini(&reader);
	}
	buf_fini(&out);
}

static void check_handshake(const struct http_request *r)
{
	static const char *const served[] = { "mqtt", "xmpp", NULL };
	struct websocket_request asked;
	struct buf out = { 0 };
	enum http_status status = websocket_handshake(r, served, &asked);

	if (status == HTTP_SWITCHING_PROTOCOLS) {
		require(r->minor > 0 && str_is(r->method, "GET") && asked.key.n == 24 &&
		        (asked.protocol == served[0] || asked.protocol == served[1]));
		require(http_field_count(r, "transfer-encoding") == 0);
		websocket_accept(&out, &asked);
		require(out.n > 4 && memcmp(out.p + out.n - 4, "\r\n\r\n", 4) == 0);
	} else {
		require(status >= 400 && status < 600);
		http_refuse(&out, status, 0);
		require(out.n > 0);
	}
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_reader whole, pieces;
	struct http_request request;
	enum http_status status;
	size_t used, again;
	struct str in;

	if (size < 2)
		return 0;
	in = str_make(data + 1, size - 1);
	status = feed(&whole, in, in.n, &used);
	require(feed(&pieces, in, 1 + data[0], &again) == status && again == used);
	require(status == HTTP_MORE || status == HTTP_OK || (status >= 400 && status < 500));
	if (status == HTTP_OK) {
		check_lines(buf_str(&whole.head));
		if (http_reader_parse(&whole, &request) == HTTP_OK) {
			check_parts(&request);
			check_again(&request);
			check_handshake(&request);
		}
	}
	http_reader_fini(&whole);
	http_reader_fini(&pieces);
	return 0;
}
