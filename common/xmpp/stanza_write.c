/* SPDX-License-Identifier: Apache-2.0
 *
 * stanza_write: canonical bytes out of canonical bytes: answers, and the form that goes on the wire. Works on the start tag only; children are
 * copied unread. */
#include "common/base/clock.h"
#include "common/xml/xml.h"
#include "common/xml/xml_escape.h"
#include "common/xmpp/stanza.h"

#define NS_STANZAS "urn:ietf:params:xml:ns:xmpp-stanzas"

/* A canonical stanza's parts: "<name" attrs ">" content "</name>", or "<name" attrs "/>". */
struct parts {
	struct str head;  /* "<name" */
	struct str attrs; /* with the space before them */
	struct str content;
	struct str tail; /* the end tag; empty: the root is self-closed */
};

/* False when the bytes are not what they should be. */
static bool cut(struct str s, struct parts *out)
{
	size_t i = 1;
	bool quoted = false;

	*out = (struct parts){ 0 };
	while (i < s.n && s.p[i] != ' ' && s.p[i] != '>' && s.p[i] != '/')
		i++;
	out->head = str_make(s.p, i);
	while (i < s.n && (quoted || s.p[i] != '>'))
		quoted ^= s.p[i++] == '\'';
	if (i >= s.n || s.n < 4)
		return false;
	if (s.p[i - 1] == '/') {
		out->attrs = str_make(s.p + out->head.n, i - 1 - out->head.n);
		return i + 1 == s.n;
	}
	size_t tail = out->head.n + 2; /* "</name>" */
	if (i + 1 + tail > s.n)
		return false;
	out->attrs = str_make(s.p + out->head.n, i - out->head.n);
	out->content = str_make(s.p + i + 1, s.n - i - 1 - tail);
	out->tail = str_make(s.p + s.n - tail, tail);
	return true;
}

/* The attribute as it is written, with the space before it; empty when there is none. */
static struct str find_attr(struct str attrs, const char *name)
{
	size_t want = strlen(name), i = 0;

	while (i < attrs.n) {
		const char *equals = memchr(attrs.p + i, '=', attrs.n - i);
		size_t value = equals ? (size_t)(equals - attrs.p) + 2 : attrs.n;
		const char *quote = value < attrs.n ? memchr(attrs.p + value, '\'', attrs.n - value) : NULL;

		if (!quote)
			break;
		size_t end = (size_t)(quote - attrs.p) + 1;
		if (value - 2 - (i + 1) == want && memcmp(attrs.p + i + 1, name, want) == 0)
			return str_make(attrs.p + i, end - i);
		i = end;
	}
	return (struct str){ NULL, 0 };
}

static void append_error(struct buf *out, const char *condition, struct str text, struct str by, struct str app)
{
	buf_append_cstr(out, "<error");
	if (by.n)
		xml_attr(out, "by", by);
	xml_attr(out, "type", str_from(stanza_error_type(condition)));
	buf_printf(out, "><%s xmlns='" NS_STANZAS "'/>", condition);
	if (text.n) {
		buf_append_cstr(out, "<text xmlns='" NS_STANZAS "' xml:lang='en'>");
		xml_escape_text(out, text);
		buf_append_cstr(out, "</text>");
	}
	buf_append_str(out, app);
	buf_append_cstr(out, "</error>");
}

void stanza_error_bytes(struct buf *out, enum stanza_kind kind, struct str id, struct str original, const char *condition, struct str text,
                        struct str by, struct str app)
{
	static const char *const names[] = { "message", "message", "presence", "iq" };
	const char *name = names[(size_t)kind <= STANZA_IQ ? kind : STANZA_NONE];
	struct parts p;
	bool echo = cut(original, &p);

	buf_printf(out, "<%s", name);
	if (id.n)
		xml_attr(out, "id", id);
	buf_append_cstr(out, " type='error'");
	/* What is sent back keeps its language. */
	if (echo)
		buf_append_str(out, find_attr(p.attrs, "xml:lang"));
	buf_append_char(out, '>');
	if (echo && kind != STANZA_PRESENCE)
		buf_append_str(out, p.content);
	append_error(out, condition, text, by, app);
	buf_printf(out, "</%s>", name);
}

void stanza_result_bytes(struct buf *out, struct str id, struct str child)
{
	buf_append_cstr(out, "<iq");
	if (id.n)
		xml_attr(out, "id", id);
	buf_append_cstr(out, " type='result'");
	if (child.n == 0) {
		buf_append_cstr(out, "/>");
		return;
	}
	buf_append_char(out, '>');
	buf_append_str(out, child);
	buf_append_cstr(out, "</iq>");
}

/* xmlns: what the start tag must declare, or empty. */
static void write_in(struct buf *out, struct str xmlns, struct str canonical, struct str from, struct str to, struct str extra)
{
	struct parts p;

	/* Not canonical: nothing sensible can be written, and raw bytes must not be. */
	if (!cut(canonical, &p))
		return;
	buf_append_str(out, p.head);
	if (xmlns.n)
		xml_attr(out, "xmlns", xmlns);
	if (from.n)
		xml_attr(out, "from", from);
	if (to.n)
		xml_attr(out, "to", to);
	buf_append_str(out, p.attrs);
	if (p.tail.n == 0 && extra.n == 0) {
		buf_append(out, "/>", 2);
		return;
	}
	buf_append_char(out, '>');
	buf_append_str(out, p.content);
	buf_append_str(out, extra);
	if (p.tail.n) {
		buf_append_str(out, p.tail);
		return;
	}
	buf_append(out, "</", 2);
	buf_append(out, p.head.p + 1, p.head.n - 1);
	buf_append_char(out, '>');
}

void stanza_write(struct buf *out, struct str canonical, struct str from, struct str to, struct str extra)
{
	write_in(out, (struct str){ 0 }, canonical, from, to, extra);
}

void stanza_forward(struct buf *out, int64_t stamp_us, struct str canonical, struct str from, struct str to, struct str extra)
{
	buf_append_str(out, STR("<forwarded xmlns='urn:xmpp:forward:0'>"));
	if (stamp_us)
		stanza_delay(out, stamp_us, (struct str){ 0 }, (struct str){ 0 });
	write_in(out, STR("jabber:client"), canonical, from, to, extra);
	buf_append_str(out, STR("</forwarded>"));
}

void stanza_delay(struct buf *out, int64_t wall_us, struct str from, struct str text)
{
	char stamp[32];

	clock_format_utc(wall_us, stamp);
	buf_append_cstr(out, "<delay xmlns='urn:xmpp:delay'");
	if (from.n)
		xml_attr(out, "from", from);
	xml_attr(out, "stamp", str_from(stamp));
	if (text.n == 0) {
		buf_append_cstr(out, "/>");
		return;
	}
	buf_append_char(out, '>');
	xml_escape_text(out, text);
	buf_append_cstr(out, "</delay>");
}
