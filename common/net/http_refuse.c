/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "common/net/http_request.h"

void http_refuse(struct buf *out, enum http_status status, int64_t now_s)
{
	static const struct {
		enum http_status status;
		const char *reason;
		const char *fields; /* that RFC 9110 section 15 wants with it, Connection included */
	} rows[] = {
		{ HTTP_BAD_REQUEST, "Bad Request", "Connection: close\r\n" },
		{ HTTP_FORBIDDEN, "Forbidden", "Connection: close\r\n" },
		{ HTTP_NOT_FOUND, "Not Found", "Connection: close\r\n" },
		{ HTTP_METHOD_NOT_ALLOWED, "Method Not Allowed", "Connection: close\r\nAllow: GET\r\n" },
		{ HTTP_CONTENT_TOO_LARGE, "Content Too Large", "Connection: close\r\n" },
		{ HTTP_URI_TOO_LONG, "URI Too Long", "Connection: close\r\n" },
		/* RFC 6455 section 4.4: and the versions that there are. */
		{ HTTP_UPGRADE_REQUIRED, "Upgrade Required",
		  "Connection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" },
		{ HTTP_FIELDS_TOO_LARGE, "Request Header Fields Too Large", "Connection: close\r\n" },
		{ HTTP_NOT_IMPLEMENTED, "Not Implemented", "Connection: close\r\n" },
		{ HTTP_UNAVAILABLE, "Service Unavailable", "Connection: close\r\n" },
		{ HTTP_VERSION_NOT_SUPPORTED, "HTTP Version Not Supported", "Connection: close\r\n" },
	};
	time_t now = (time_t)now_s;
	char date[40] = "";
	struct tm tm;
	size_t i = 0;

	for (size_t at = 0; at < sizeof(rows) / sizeof(*rows); at++) {
		if (rows[at].status == status)
			i = at;
	}
	/* RFC 9110 section 5.6.7; the names of days are English as long as nobody sets a locale, which no daemon does. */
	if (gmtime_r(&now, &tm))
		strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	buf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n%sContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s\n", (int)rows[i].status,
	           rows[i].reason, date, rows[i].fields, strlen(rows[i].reason) + 1, rows[i].reason);
}
