/* SPDX-License-Identifier: Apache-2.0
 *
 * http_request: the head of one HTTP/1.1 request (RFC 9112), as far as an upgrade needs it: no content, no second request. Bytes in, a status out; no I/O.
 *
 * Strict where two readers of the same bytes could disagree (RFC 9112 section 11.2): only CRLF ends a line, one space parts the words of the first line, a
 * folded line, a bare CR or LF, a control character, white space before a colon, a second Host, or any content is an error. */
#ifndef COMMON_NET_HTTP_REQUEST_H
#define COMMON_NET_HTTP_REQUEST_H

#include <stdint.h>

#include "common/base/buf.h"

#define HTTP_LINE_MAX   8000u  /* bytes of a line; RFC 9112 section 3 recommends as many for the first */
#define HTTP_HEAD_MAX   16384u /* of all */
#define HTTP_FIELDS_MAX 64u

enum http_status {
	HTTP_MORE = 0,
	HTTP_SWITCHING_PROTOCOLS = 101,
	HTTP_OK = 200, /* nothing is wrong */
	HTTP_BAD_REQUEST = 400,
	HTTP_FORBIDDEN = 403,
	HTTP_NOT_FOUND = 404,
	HTTP_METHOD_NOT_ALLOWED = 405,
	HTTP_CONTENT_TOO_LARGE = 413,
	HTTP_URI_TOO_LONG = 414,
	HTTP_UPGRADE_REQUIRED = 426,
	HTTP_FIELDS_TOO_LARGE = 431,
	HTTP_NOT_IMPLEMENTED = 501,
	HTTP_UNAVAILABLE = 503,
	HTTP_VERSION_NOT_SUPPORTED = 505,
};

/* A zeroed one is ready. http_reader_fini frees. */
struct http_reader {
	struct buf head;
	uint32_t line;  /* bytes of the line so far */
	uint32_t lines; /* before it */
	bool cr, skipped;
};

/* All views are of the reader's bytes. */
struct http_field {
	struct str name, value;
};

struct http_request {
	struct str method;
	struct str path, query; /* still percent-encoded; path begins with a slash, query has no question mark */
	struct str host;        /* with the port, if it was said; "" in HTTP/1.0 */
	uint8_t minor;          /* of HTTP/1.x */
	size_t count;
	struct http_field fields[HTTP_FIELDS_MAX];
};

/* Moves *p and *n behind what it used, at most to the end of the head. HTTP_MORE; HTTP_OK when the head is whole; or what to answer. */
enum http_status http_reader_feed(struct http_reader *r, const char **p, size_t *n);
/* Of a whole head. HTTP_OK, or what to answer. */
enum http_status http_reader_parse(const struct http_reader *r, struct http_request *out);
void http_reader_fini(struct http_reader *r);

/* Names and tokens are compared without regard to case (RFC 9110 section 5.1). */
size_t http_field_count(const struct http_request *r, const char *name);
struct str http_field(const struct http_request *r, const char *name); /* the first one's value; .p is NULL: none */
bool http_field_lists(const struct http_request *r, const char *name, const char *token);
/* The next element of a comma-separated value (RFC 9110 section 5.6.1); empty ones are passed over. *list is moved. False: no more. */
bool http_list_next(struct str *list, struct str *out);
bool http_is_token(struct str s);
bool http_same(struct str a, struct str b);

/* A whole answer that says no, and that the connection ends. An unknown status is written as 400. now_s: seconds since 1970, UTC. */
void http_refuse(struct buf *out, enum http_status status, int64_t now_s);

#endif
