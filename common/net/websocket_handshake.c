/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/websocket_handshake.h"

#include "common/crypto/base64.h"
#include "common/crypto/digest.h"

#define KEY_CHARS 24u /* 16 bytes in base64 */
#define GUID      "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define ACCEPT    28u /* characters: 20 bytes in base64 */

/* RFC 9110 section 15.5.6 and 15.6.2. */
static enum http_status check_method(const struct http_request *r)
{
	static const char *const others[] = { "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH" };

	if (str_is(r->method, "GET"))
		return HTTP_OK;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		if (str_is(r->method, others[i]))
			return HTTP_METHOD_NOT_ALLOWED;
	}
	return HTTP_NOT_IMPLEMENTED;
}

/* In HTTP/1.0, and unless Connection names it, Upgrade says nothing (RFC 9110 section 7.8). */
static bool asks(const struct http_request *r)
{
	return r->minor > 0 && http_field_lists(r, "upgrade", "websocket") && http_field_lists(r, "connection", "upgrade");
}

/* The form alone. Bits behind the sixteenth byte are let pass: the key of the RFC's own example has some (section 4.1). */
static bool is_key(struct str s)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	if (s.n != KEY_CHARS || s.p[22] != '=' || s.p[23] != '=')
		return false;
	for (size_t i = 0; i < 22; i++) {
		if (s.p[i] == '\0' || !strchr(letters, s.p[i]))
			return false;
	}
	return true;
}

/* Tokens, each once (section 4.1, item 10); the first that is served is *out. The field may be split over lines. */
static bool choose(const struct http_request *r, const char *const *served, const char **out)
{
	struct str seen[HTTP_FIELDS_MAX], one;
	size_t count = 0;

	*out = NULL;
	for (size_t i = 0; i < r->count; i++) {
		struct str list = r->fields[i].value;

		if (!http_same(r->fields[i].name, STR("sec-websocket-protocol")))
			continue;
		while (http_list_next(&list, &one)) {
			if (!http_is_token(one) || count == HTTP_FIELDS_MAX)
				return false;
			for (size_t k = 0; k < count; k++) {
				if (str_eq(seen[k], one))
					return false;
			}
			seen[count++] = one;
			for (size_t k = 0; served && served[k] && !*out; k++)
				*out = str_is(one, served[k]) ? served[k] : NULL;
		}
	}
	return true;
}

enum http_status websocket_handshake(const struct http_request *http, const char *const *served, struct websocket_request *out)
{
	enum http_status status = check_method(http);

	*out = (struct websocket_request){ .http = http };
	if (status != HTTP_OK)
		return status;
	if (!asks(http) || http_field_count(http, "sec-websocket-version") != 1 || !str_is(http_field(http, "sec-websocket-version"), "13"))
		return HTTP_UPGRADE_REQUIRED;
	out->key = http_field(http, "sec-websocket-key");
	out->origin = http_field(http, "origin");
	if (http_field_count(http, "sec-websocket-key") != 1 || !is_key(out->key) || http_field_count(http, "origin") > 1)
		return HTTP_BAD_REQUEST;
	if (!choose(http, served, &out->protocol) || (served && !out->protocol))
		return HTTP_BAD_REQUEST;
	return HTTP_SWITCHING_PROTOCOLS;
}

void websocket_accept(struct buf *out, const struct websocket_request *r)
{
	char text[KEY_CHARS + sizeof(GUID)], accept[ACCEPT];
	uint8_t hash[DIGEST_MAX];

	memcpy(text, r->key.p, KEY_CHARS);
	memcpy(text + KEY_CHARS, GUID, sizeof(GUID));
	digest_hash(DIGEST_SHA1, str_make(text, KEY_CHARS + sizeof(GUID) - 1), hash);
	base64_encode(str_make(hash, digest_size(DIGEST_SHA1)), accept);
	buf_printf(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %.*s\r\n",
	           (int)sizeof(accept), accept);
	if (r->protocol)
		buf_printf(out, "Sec-WebSocket-Protocol: %s\r\n", r->protocol);
	buf_append_cstr(out, "\r\n");
}

bool websocket_origin_allowed(const struct websocket_request *r, char *const *allowed, size_t count)
{
	if (!r->origin.p)
		return true;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(allowed[i], "*") == 0 || http_same(r->origin, str_from(allowed[i])))
			return true;
	}
	return false;
}
