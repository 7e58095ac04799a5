/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/net/websocket_handshake.h"

#define FIRST   "GET /mqtt HTTP/1.1\r\n"
#define HOST    "Host: example.org\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define MQTT    "Sec-WebSocket-Protocol: mqtt\r\n"
#define USUAL   FIRST HOST UPGRADE KEY VERSION

static struct http_reader reader;
static struct http_request http;
static struct websocket_request asked;
static const char *const mqtt[] = { "mqtt", "mqttv3.1", NULL };

static int teardown(void **state)
{
	(void)state;
	http_reader_fini(&reader);
	reader = (struct http_reader){ 0 };
	return 0;
}

static enum http_status ask(const char *text, const char *const *served)
{
	const char *p = text;
	size_t n = strlen(text);

	teardown(NULL);
	assert_int_equal(http_reader_feed(&reader, &p, &n), HTTP_OK);
	assert_int_equal(http_reader_parse(&reader, &http), HTTP_OK);
	return websocket_handshake(&http, served, &asked);
}

static void check_answer(const char *want)
{
	struct buf out = { 0 };

	websocket_accept(&out, &asked);
	buf_append(&out, "", 1);
	assert_string_equal(out.p, want);
	buf_fini(&out);
}

/* Key and answer of RFC 6455 section 1.3. */
static void a_request_is_granted(void **state)
{
	(void)state;
	assert_int_equal(ask(USUAL "Origin: http://example.com\r\n" MQTT "\r\n", mqtt), HTTP_SWITCHING_PROTOCOLS);
	assert_true(str_is(asked.origin, "http://example.com"));
	assert_string_equal(asked.protocol, "mqtt");
	assert_true(str_is(asked.http->path, "/mqtt"));
	check_answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n");
	/* Nothing is named that was not offered, no extension is. */
	assert_int_equal(ask(USUAL "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", NULL), HTTP_SWITCHING_PROTOCOLS);
	assert_null(asked.origin.p);
	assert_null(asked.protocol);
	check_answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
}

static void what_is_missing_or_wrong(void **state)
{
	static const struct {
		const char *request;
		enum http_status status;
	} rows[] = {
		{ USUAL MQTT "\r\n", HTTP_SWITCHING_PROTOCOLS },
		/* as browsers and proxies write it */
		{ FIRST HOST "Connection: keep-alive, upgrade\r\nUPGRADE: WebSocket\r\n" KEY VERSION MQTT "\r\n",
		  HTTP_SWITCHING_PROTOCOLS },
		{ FIRST HOST "Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: h2c, websocket\r\n" KEY VERSION MQTT "\r\n",
		  HTTP_SWITCHING_PROTOCOLS },
		/* the key of section 4.1, which has bits behind its sixteenth byte */
		{ FIRST HOST UPGRADE VERSION MQTT "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==\r\n\r\n", HTTP_SWITCHING_PROTOCOLS },
		/* method */
		{ "POST /mqtt HTTP/1.1\r\n" HOST UPGRADE KEY VERSION MQTT "\r\n", HTTP_METHOD_NOT_ALLOWED },
		{ "OPTIONS /mqtt HTTP/1.1\r\n" HOST "\r\n", HTTP_METHOD_NOT_ALLOWED },
		{ "get /mqtt HTTP/1.1\r\n" HOST UPGRADE KEY VERSION MQTT "\r\n", HTTP_NOT_IMPLEMENTED },
		{ "BREW /mqtt HTTP/1.1\r\n" HOST UPGRADE KEY VERSION MQTT "\r\n", HTTP_NOT_IMPLEMENTED },
		/* upgrade */
		{ FIRST HOST "\r\n", HTTP_UPGRADE_REQUIRED },
		{ FIRST HOST "Upgrade: websocket\r\n" KEY VERSION MQTT "\r\n", HTTP_UPGRADE_REQUIRED },
		{ FIRST HOST "Connection: upgrade\r\n" KEY VERSION MQTT "\r\n", HTTP_UPGRADE_REQUIRED },
		{ FIRST HOST "Upgrade: websockets\r\nConnection: Upgrade\r\n" KEY VERSION MQTT "\r\n", HTTP_UPGRADE_REQUIRED },
		{ FIRST HOST "Upgrade: websocket\r\nConnection: upgrades\r\n" KEY VERSION MQTT "\r\n", HTTP_UPGRADE_REQUIRED },
		{ "GET /mqtt HTTP/1.0\r\n" HOST UPGRADE KEY VERSION MQTT "\r\n", HTTP_UPGRADE_REQUIRED },
		/* version */
		{ FIRST HOST UPGRADE KEY MQTT "\r\n", HTTP_UPGRADE_REQUIRED },
		{ FIRST HOST UPGRADE KEY MQTT "Sec-WebSocket-Version: 8\r\n\r\n", HTTP_UPGRADE_REQUIRED },
		{ FIRST HOST UPGRADE KEY MQTT "Sec-WebSocket-Version: 013\r\n\r\n", HTTP_UPGRADE_REQUIRED },
		{ FIRST HOST UPGRADE KEY MQTT VERSION VERSION "\r\n", HTTP_UPGRADE_REQUIRED },
		/* key */
		{ FIRST HOST UPGRADE VERSION MQTT "\r\n", HTTP_BAD_REQUEST },
		{ FIRST HOST UPGRADE VERSION MQTT KEY KEY "\r\n", HTTP_BAD_REQUEST },
		{ FIRST HOST UPGRADE VERSION MQTT "Sec-WebSocket-Key:\r\n\r\n", HTTP_BAD_REQUEST },
		{ FIRST HOST UPGRADE VERSION MQTT "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n\r\n", HTTP_BAD_REQUEST },
		{ FIRST HOST UPGRADE VERSION MQTT "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n\r\n", HTTP_BAD_REQUEST },
		{ FIRST HOST UPGRADE VERSION MQTT "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j_Q==\r\n\r\n", HTTP_BAD_REQUEST },
		{ FIRST HOST UPGRADE VERSION MQTT "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ== x\r\n\r\n", HTTP_BAD_REQUEST },
		/* origin */
		{ USUAL MQTT "Origin: a\r\nOrigin: b\r\n\r\n", HTTP_BAD_REQUEST },
		/* subprotocol */
		{ USUAL "\r\n", HTTP_BAD_REQUEST },
		{ USUAL "Sec-WebSocket-Protocol: xmpp\r\n\r\n", HTTP_BAD_REQUEST },
		{ USUAL "Sec-WebSocket-Protocol: MQTT\r\n\r\n", HTTP_BAD_REQUEST },
		{ USUAL "Sec-WebSocket-Protocol: mqtt, mqtt\r\n\r\n", HTTP_BAD_REQUEST },
		{ USUAL MQTT MQTT "\r\n", HTTP_BAD_REQUEST },
		{ USUAL "Sec-WebSocket-Protocol: mqtt, x y\r\n\r\n", HTTP_BAD_REQUEST },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		enum http_status status = ask(rows[i].request, mqtt);

		if (status != rows[i].status)
			fail_msg("%s\n%d", rows[i].request, (int)status);
	}
}

/* The client's order counts, over all its lines. */
static void the_subprotocol_is_the_clients_first(void **state)
{
	(void)state;
	assert_int_equal(ask(USUAL "Sec-WebSocket-Protocol: xmpp, mqttv3.1\r\nsec-websocket-protocol: mqtt\r\n\r\n", mqtt),
	                 HTTP_SWITCHING_PROTOCOLS);
	assert_string_equal(asked.protocol, "mqttv3.1");
}

static void origins(void **state)
{
	char *lists[] = { (char *)"https://example.org", (char *)"https://a.example:8443", (char *)"*" };

	(void)state;
	assert_int_equal(ask(USUAL "Origin: https://EXAMPLE.org\r\n\r\n", NULL), HTTP_SWITCHING_PROTOCOLS);
	assert_true(websocket_origin_allowed(&asked, lists, 2));
	assert_false(websocket_origin_allowed(&asked, lists + 1, 1));
	assert_true(websocket_origin_allowed(&asked, lists + 1, 2));
	assert_false(websocket_origin_allowed(&asked, NULL, 0));
	ask(USUAL "Origin: https://example.org.evil.example\r\n\r\n", NULL);
	assert_false(websocket_origin_allowed(&asked, lists, 2));
	ask(USUAL "Origin: null\r\n\r\n", NULL);
	assert_false(websocket_origin_allowed(&asked, lists, 2));
	ask(USUAL "Origin:\r\n\r\n", NULL);
	assert_false(websocket_origin_allowed(&asked, lists, 2));
	/* No browser. */
	ask(USUAL "\r\n", NULL);
	assert_true(websocket_origin_allowed(&asked, NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_request_is_granted, teardown),
		cmocka_unit_test_teardown(what_is_missing_or_wrong, teardown),
		cmocka_unit_test_teardown(the_subprotocol_is_the_clients_first, teardown),
		cmocka_unit_test_teardown(origins, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
