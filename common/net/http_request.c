/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/http_request.h"

#include <strings.h>

/* --- the end of the head ------------------------------------------------------------------------------------------ */

static enum http_status end_line(struct http_reader *r)
{
	bool empty = r->line == 0;

	r->line = 0;
	if (empty && r->lines > 0)
		return HTTP_OK;
	if (empty) {
		/* RFC 9112 section 2.2: one before the request is passed over, as some clients send it behind the request before. */
		bool again = r->skipped;

		r->skipped = true;
		return again ? HTTP_BAD_REQUEST : HTTP_MORE;
	}
	return ++r->lines > 1 + HTTP_FIELDS_MAX ? HTTP_FIELDS_TOO_LARGE : HTTP_MORE;
}

static enum http_status take(struct http_reader *r, uint8_t b)
{
	if (r->cr) {
		r->cr = false;
		return b == '\n' ? end_line(r) : HTTP_BAD_REQUEST;
	}
	if (b == '\r') {
		r->cr = true;
		return HTTP_MORE;
	}
	/* LF among them. Beyond ASCII is obs-text, which is for field values only: the request line refuses it. */
	if ((b < 0x20 && b != '\t') || b == 0x7f)
		return HTTP_BAD_REQUEST;
	if (++r->line <= HTTP_LINE_MAX)
		return HTTP_MORE;
	return r->lines == 0 ? HTTP_URI_TOO_LONG : HTTP_FIELDS_TOO_LARGE;
}

enum http_status http_reader_feed(struct http_reader *r, const char **p, size_t *n)
{
	enum http_status status = HTTP_MORE;
	size_t used = 0;

	while (used < *n && status == HTTP_MORE) {
		if (r->head.n + used >= HTTP_HEAD_MAX)
			return HTTP_FIELDS_TOO_LARGE;
		status = take(r, (uint8_t)(*p)[used++]);
	}
	buf_append(&r->head, *p, used);
	*p += used;
	*n -= used;
	return status;
}

void http_reader_fini(struct http_reader *r)
{
	buf_fini(&r->head);
}

/* --- characters --------------------------------------------------------------------------------------------------- */

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters, digits and those of `more`; at least one. */
static bool made_of(struct str s, const char *more)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i]) && (s.p[i] == '\0' || !strchr(more, s.p[i])))
			return false;
	}
	return s.n > 0;
}

/* RFC 9110 section 5.6.2. */
bool http_is_token(struct str s)
{
	return made_of(s, "!#$%&'*+-.^_`|~");
}

/* RFC 9110 section 7.2: uri-host and port. What it names is the caller's to look up. */
static bool is_host(struct str s)
{
	return made_of(s, "-._~!$&'()*+,;=:[]%");
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Path and query: visible ASCII without a fragment. Stricter than browsers is nobody's gain, but a percent sign begins an octet. */
static bool is_path(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < 0x21 || s.p[i] > 0x7e || s.p[i] == '#')
			return false;
		if (s.p[i] == '%' && (s.n - i < 3 || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2])))
			return false;
	}
	return true;
}

bool http_same(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

static struct str trim(struct str s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = str_make(s.p + 1, s.n - 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* Up to `end`, which is passed over; all of it when there is none. *rest is moved. */
static struct str cut(struct str *rest, char end)
{
	const char *at = rest->n > 0 ? memchr(rest->p, end, rest->n) : NULL;
	struct str head = at ? str_make(rest->p, (size_t)(at - rest->p)) : *rest;
	size_t used = at ? head.n + 1 : head.n;

	*rest = str_make(rest->p + used, rest->n - used);
	return head;
}

/* --- request line ------------------------------------------------------------------------------------------------- */

/* RFC 9112 section 3.2: origin-form, or absolute-form, which a server must take and whose authority then counts instead of Host. */
static bool parse_target(struct str target, struct http_request *out)
{
	static const char *const schemes[] = { "http://", "https://", "ws://", "wss://" };
	struct str rest = target;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes) && target.p[0] != '/'; i++) {
		size_t n = strlen(schemes[i]), host;

		if (target.n <= n || strncasecmp(target.p, schemes[i], n) != 0)
			continue;
		rest = str_make(target.p + n, target.n - n);
		for (host = 0; host < rest.n && rest.p[host] != '/' && rest.p[host] != '?';)
			host++;
		out->host = str_make(rest.p, host);
		rest = str_make(rest.p + host, rest.n - host);
		if (!is_host(out->host))
			return false;
		break;
	}
	if (!is_path(rest) || (!out->host.n && rest.p[0] != '/'))
		return false;
	out->path = cut(&rest, '?');
	out->query = rest;
	if (out->path.n == 0)
		out->path = STR("/");
	return true;
}

static enum http_status parse_first(struct str line, struct http_request *out)
{
	struct str target;

	out->method = cut(&line, ' ');
	target = cut(&line, ' ');
	if (!http_is_token(out->method) || target.n == 0)
		return HTTP_BAD_REQUEST;
	if (line.n != 8 || memcmp(line.p, "HTTP/", 5) != 0 || line.p[6] != '.' || line.p[5] < '0' || line.p[5] > '9' || line.p[7] < '0' ||
	    line.p[7] > '9')
		return HTTP_BAD_REQUEST;
	if (line.p[5] != '1')
		return HTTP_VERSION_NOT_SUPPORTED;
	out->minor = (uint8_t)(line.p[7] - '0');
	return parse_target(target, out) ? HTTP_OK : HTTP_BAD_REQUEST;
}

/* --- fields ------------------------------------------------------------------------------------------------------- */

/* RFC 9112 section 5. A folded line begins with white space, so that its name is no token. */
static bool parse_field(struct str line, struct http_field *out)
{
	struct str rest = line;

	out->name = cut(&rest, ':');
	out->value = trim(rest);
	return out->name.n < line.n && http_is_token(out->name);
}

static enum http_status check_host(struct http_request *r)
{
	size_t count = http_field_count(r, "host");
	struct str host = http_field(r, "host");

	if (count > 1 || (count == 0 && r->minor > 0))
		return HTTP_BAD_REQUEST;
	if (r->host.n > 0) /* of an absolute target; then Host may be empty */
		return host.n == 0 || is_host(host) ? HTTP_OK : HTTP_BAD_REQUEST;
	r->host = host;
	return count == 0 || is_host(host) ? HTTP_OK : HTTP_BAD_REQUEST;
}

/* RFC 9112 section 6: what announces content. There is none to an upgrade, and bytes behind the head must mean the same to everybody on the way. */
static enum http_status check_content(const struct http_request *r)
{
	size_t lengths = http_field_count(r, "content-length"), codings = http_field_count(r, "transfer-encoding");
	struct str length = http_field(r, "content-length");
	bool zero = true;

	if (lengths + codings > 1 || (lengths == 1 && length.n == 0))
		return HTTP_BAD_REQUEST;
	for (size_t i = 0; i < length.n; i++) {
		if (length.p[i] < '0' || length.p[i] > '9')
			return HTTP_BAD_REQUEST;
		zero = zero && length.p[i] == '0';
	}
	return codings == 0 && zero ? HTTP_OK : HTTP_CONTENT_TOO_LARGE;
}

enum http_status http_reader_parse(const struct http_reader *r, struct http_request *out)
{
	struct str rest = buf_str(&r->head), line;
	enum http_status status;

	memset(out, 0, sizeof(*out));
	/* Every CR has its LF: the reader saw to that. */
	if (r->skipped)
		cut(&rest, '\n');
	line = cut(&rest, '\r');
	status = parse_first(line, out);
	if (status != HTTP_OK)
		return status;
	for (cut(&rest, '\n'); (line = cut(&rest, '\r')).n > 0; cut(&rest, '\n')) {
		if (out->count == HTTP_FIELDS_MAX)
			return HTTP_FIELDS_TOO_LARGE;
		if (!parse_field(line, &out->fields[out->count++]))
			return HTTP_BAD_REQUEST;
	}
	status = check_host(out);
	return status == HTTP_OK ? check_content(out) : status;
}

size_t http_field_count(const struct http_request *r, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < r->count; i++)
		count += http_same(r->fields[i].name, str_from(name));
	return count;
}

struct str http_field(const struct http_request *r, const char *name)
{
	for (size_t i = 0; i < r->count; i++) {
		if (http_same(r->fields[i].name, str_from(name)))
			return r->fields[i].value;
	}
	return (struct str){ 0 };
}

bool http_list_next(struct str *list, struct str *out)
{
	while (list->n > 0) {
		*out = trim(cut(list, ','));
		if (out->n > 0)
			return true;
	}
	return false;
}

bool http_field_lists(const struct http_request *r, const char *name, const char *token)
{
	for (size_t i = 0; i < r->count; i++) {
		struct str list = r->fields[i].value, element;

		if (!http_same(r->fields[i].name, str_from(name)))
			continue;
		while (http_list_next(&list, &element)) {
			if (http_same(element, str_from(token)))
				return true;
		}
	}
	return false;
}
