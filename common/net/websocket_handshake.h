/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket_handshake: what a request must say to become a WebSocket (RFC 6455 section 4.2), and the answer to it. No I/O. */
#ifndef COMMON_NET_WEBSOCKET_HANDSHAKE_H
#define COMMON_NET_WEBSOCKET_HANDSHAKE_H

#include "common/net/http_request.h"

/* Views of the request's bytes. Path, query and host: http->path and so on. */
struct websocket_request {
	const struct http_request *http;
	struct str key;
	struct str origin;    /* .p is NULL: none was said, so it is no browser */
	const char *protocol; /* the subprotocol chosen, one of the caller's; NULL: none */
};

/* served: names of subprotocols, NULL-terminated, of which the client must offer one: the first in its list that is served is chosen. NULL: whatever it
 * offers, none is chosen. HTTP_SWITCHING_PROTOCOLS, or the status of the refusal. */
enum http_status websocket_handshake(const struct http_request *http, const char *const *served, struct websocket_request *out);
/* The answer 101. */
void websocket_accept(struct buf *out, const struct websocket_request *r);
/* Section 10.2. Allowed is what stands in the list ("https://example.org", without a path), all if "*" does, and who says none: that header keeps web pages
 * from acting for their visitors, nobody else. */
bool websocket_origin_allowed(const struct websocket_request *r, char *const *allowed, size_t count);

#endif
