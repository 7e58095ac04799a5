/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/net/http_request.h"

#define HOST "Host: example.org\r\n"

static struct http_request request;
static struct http_reader reader;

static int teardown(void **state)
{
	(void)state;
	http_reader_fini(&reader);
	reader = (struct http_reader){ 0 };
	return 0;
}

/* Fed in pieces of `piece` bytes; *out_used: bytes. */
static enum http_status feed(struct str in, size_t piece, size_t *out_used)
{
	enum http_status status = HTTP_MORE;
	size_t at = 0;

	http_reader_fini(&reader);
	reader = (struct http_reader){ 0 };
	while (at < in.n && status == HTTP_MORE) {
		size_t n = piece < in.n - at ? piece : in.n - at, left = n;
		/* Of exactly its size, so that a look behind its end is seen. */
		char *copy = mem_memdup(in.p + at, n);
		const char *p = copy;

		status = http_reader_feed(&reader, &p, &left);
		assert_ptr_equal(p, copy + n - left);
		at += n - left;
		mem_free(copy);
	}
	*out_used = at;
	return status == HTTP_OK ? http_reader_parse(&reader, &request) : status;
}

/* The same however it is cut. */
static enum http_status read_all(struct str in)
{
	size_t used, again;
	enum http_status status = feed(in, in.n, &used);

	for (size_t piece = 1; piece < 40; piece += 3) {
		assert_int_equal(feed(in, piece, &again), status);
		assert_int_equal(again, used);
	}
	return status;
}

static void check(struct str got, const char *want)
{
	if (!str_is(got, want))
		fail_msg("'%.*s' instead of '%s'", STR_ARG(got), want);
}

static void a_request_is_taken_apart(void **state)
{
	size_t used;
	struct str in = STR("GET /mqtt/a%20b?x=1&y HTTP/1.1\r\nHost: example.org:8083\r\nX-Empty:\r\nx-list: a ,,b\t, C\r\nX-List:d\r\n"
	                    "X-Text: \t caf\xc3\xa9 au lait \t\r\n\r\nbehind");
	struct str list, one;

	(void)state;
	assert_int_equal(feed(in, in.n, &used), HTTP_OK);
	assert_int_equal(used, in.n - strlen("behind"));
	check(request.method, "GET");
	check(request.path, "/mqtt/a%20b");
	check(request.query, "x=1&y");
	check(request.host, "example.org:8083");
	assert_int_equal(request.minor, 1);
	assert_int_equal(request.count, 5);
	check(http_field(&request, "x-empty"), "");
	assert_non_null(http_field(&request, "X-EMPTY").p);
	check(http_field(&request, "X-Text"), "caf\xc3\xa9 au lait");
	assert_null(http_field(&request, "x-other").p);
	assert_int_equal(http_field_count(&request, "X-LIST"), 2);
	assert_true(http_field_lists(&request, "x-list", "A") && http_field_lists(&request, "x-list", "b"));
	assert_true(http_field_lists(&request, "x-list", "c") && http_field_lists(&request, "x-list", "D"));
	assert_false(http_field_lists(&request, "x-list", "a ,,b"));
	list = http_field(&request, "x-list");
	assert_true(http_list_next(&list, &one) && str_is(one, "a"));
	assert_true(http_list_next(&list, &one) && str_is(one, "b"));
	assert_true(http_list_next(&list, &one) && str_is(one, "C"));
	assert_false(http_list_next(&list, &one));
}

static void targets(void **state)
{
	static const struct {
		const char *target, *path, *query, *host; /* path NULL: refused */
	} rows[] = {
		{ "/", "/", "", "example.org" },
		{ "/?", "/", "", "example.org" },
		{ "//x", "//x", "", "example.org" },
		{ "/a?b?c", "/a", "b?c", "example.org" },
		{ "http://other.example/a?b", "/a", "b", "other.example" },
		{ "WS://other.example:80", "/", "", "other.example:80" },
		{ "https://[2001:db8::1]?q", "/", "q", "[2001:db8::1]" },
		{ "wss:///a", NULL, NULL, NULL },
		{ "http://us er/a", NULL, NULL, NULL },
		{ "http://user@host/", NULL, NULL, NULL },
		{ "ftp://other.example/", NULL, NULL, NULL },
		{ "http:/x", NULL, NULL, NULL },
		{ "*", NULL, NULL, NULL },
		{ "example.org:80", NULL, NULL, NULL },
		{ "a", NULL, NULL, NULL },
		{ "/a#b", NULL, NULL, NULL },
		{ "/%", NULL, NULL, NULL },
		{ "/%4", NULL, NULL, NULL },
		{ "/%4g", NULL, NULL, NULL },
		{ "/\xc3\xa9", NULL, NULL, NULL },
		{ "/\t", NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char in[200];
		int n = snprintf(in, sizeof(in), "GET %s HTTP/1.1\r\n" HOST "\r\n", rows[i].target);
		enum http_status status = read_all(str_make(in, (size_t)n));

		if (status != (rows[i].path ? HTTP_OK : HTTP_BAD_REQUEST))
			fail_msg("%s: %d", rows[i].target, (int)status);
		if (!rows[i].path)
			continue;
		check(request.path, rows[i].path);
		check(request.query, rows[i].query);
		check(request.host, rows[i].host);
	}
}

static void what_is_wrong_is_answered(void **state)
{
	static const struct {
		const char *in;
		enum http_status status;
	} rows[] = {
		{ "GET / HTTP/1.1\r\n" HOST "\r\n", HTTP_OK },
		{ "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", HTTP_OK }, /* RFC 9112 section 2.2 */
		{ "GET / HTTP/1.0\r\n\r\n", HTTP_OK },
		{ "GET / HTTP/1.7\r\n" HOST "\r\n", HTTP_OK },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", HTTP_OK },
		{ "GET / HTTP/1.1\r\n" HOST, HTTP_MORE },
		/* the first line */
		{ "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST },
		{ " GET / HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST },
		{ "GET  / HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST },
		{ "GET\t/\tHTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1 \r\n" HOST "\r\n", HTTP_BAD_REQUEST },
		{ "GET /\r\n" HOST "\r\n", HTTP_BAD_REQUEST },
		{ "GET / http/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.10\r\n" HOST "\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/11\r\n" HOST "\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/x.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST },
		{ "G(T / HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST },
		{ "PRI * HTTP/2.0\r\n\r\n", HTTP_VERSION_NOT_SUPPORTED },
		{ "GET / HTTP/0.9\r\n\r\n", HTTP_VERSION_NOT_SUPPORTED },
		/* ends of lines */
		{ "GET / HTTP/1.1\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\nHost: a\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST "\rX", HTTP_BAD_REQUEST },
		{ "\n", HTTP_BAD_REQUEST },
		/* fields */
		{ "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n X: a\r\n" HOST "\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST "X : a\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST "nocolon\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST "X\xc3\xa9: a\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST "X: \x01\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST "X: \x7f\r\n\r\n", HTTP_BAD_REQUEST },
		/* Host */
		{ "GET / HTTP/1.1\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST HOST "\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET http://a/ HTTP/1.1\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET http://a/ HTTP/1.1\r\nHost: u@b\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n", HTTP_OK },
		/* content: RFC 9112 section 6.3 */
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", HTTP_CONTENT_TOO_LARGE },
		{ "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", HTTP_CONTENT_TOO_LARGE },
		{ "GET / HTTP/1.1\r\n" HOST "transfer-encoding:\r\n\r\n", HTTP_CONTENT_TOO_LARGE },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 0, 0\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: +0\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", HTTP_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", HTTP_BAD_REQUEST },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		enum http_status status = read_all(str_from(rows[i].in));

		if (status != rows[i].status)
			fail_msg("%s\n%d", rows[i].in, (int)status);
	}
	assert_int_equal(read_all(STR("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n")), HTTP_BAD_REQUEST);
}

/* First line, one field of `value` bytes `count` times. */
static enum http_status long_request(size_t target, size_t value, size_t count)
{
	struct buf in = { 0 };
	enum http_status status;
	size_t used;

	buf_append_cstr(&in, "GET /");
	for (size_t i = 0; i < target; i++)
		buf_append_char(&in, 'a');
	buf_append_cstr(&in, " HTTP/1.1\r\n" HOST);
	for (size_t k = 0; k < count; k++) {
		buf_append_cstr(&in, "X: ");
		for (size_t i = 0; i < value; i++)
			buf_append_char(&in, 'a');
		buf_append_cstr(&in, "\r\n");
	}
	buf_append_cstr(&in, "\r\n");
	status = feed(buf_str(&in), 100, &used);
	buf_fini(&in);
	return status;
}

static void what_is_too_long_is_answered(void **state)
{
	(void)state;
	assert_int_equal(long_request(HTTP_LINE_MAX - 14, 1, 1), HTTP_OK);
	assert_int_equal(long_request(HTTP_LINE_MAX - 13, 1, 1), HTTP_URI_TOO_LONG);
	assert_int_equal(long_request(1, HTTP_LINE_MAX - 3, 1), HTTP_OK);
	assert_int_equal(long_request(1, HTTP_LINE_MAX - 2, 1), HTTP_FIELDS_TOO_LARGE);
	assert_int_equal(long_request(1, HTTP_LINE_MAX - 3, 2), HTTP_OK);
	assert_int_equal(long_request(1, HTTP_LINE_MAX - 3, 3), HTTP_FIELDS_TOO_LARGE);
	assert_int_equal(long_request(1, 1, HTTP_FIELDS_MAX - 1), HTTP_OK); /* and Host */
	assert_int_equal(long_request(1, 1, HTTP_FIELDS_MAX), HTTP_FIELDS_TOO_LARGE);
}

static void a_refusal_is_a_whole_answer(void **state)
{
	static const struct {
		enum http_status status;
		const char *starts, *has;
	} rows[] = {
		{ HTTP_BAD_REQUEST, "HTTP/1.1 400 Bad Request\r\n", "\r\nConnection: close\r\n" },
		{ HTTP_FORBIDDEN, "HTTP/1.1 403 Forbidden\r\n", "\r\nContent-Length: 10\r\n" },
		{ HTTP_METHOD_NOT_ALLOWED, "HTTP/1.1 405 Method Not Allowed\r\n", "\r\nAllow: GET\r\n" },
		{ HTTP_UPGRADE_REQUIRED, "HTTP/1.1 426 Upgrade Required\r\n", "\r\nSec-WebSocket-Version: 13\r\n" },
		{ HTTP_UPGRADE_REQUIRED, "HTTP/1.1 426 Upgrade Required\r\n", "\r\nUpgrade: websocket\r\n" },
		{ HTTP_VERSION_NOT_SUPPORTED, "HTTP/1.1 505 HTTP Version Not Supported\r\n",
		  "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" },
		{ (enum http_status)299, "HTTP/1.1 400 Bad Request\r\n", "\r\n\r\nBad Request\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf out = { 0 };

		http_refuse(&out, rows[i].status, 784111777); /* RFC 9110 section 5.6.7 */
		buf_append(&out, "", 1);
		assert_int_equal(strncmp(out.p, rows[i].starts, strlen(rows[i].starts)), 0);
		assert_non_null(strstr(out.p, rows[i].has));
		buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_request_is_taken_apart, teardown),
		cmocka_unit_test_teardown(targets, teardown),
		cmocka_unit_test_teardown(what_is_wrong_is_answered, teardown),
		cmocka_unit_test_teardown(what_is_too_long_is_answered, teardown),
		cmocka_unit_test(a_refusal_is_a_whole_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
