/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-gateway/to_topic.h"

#include "common/mqtt/mqtt_topic.h"
#include "common/xml/xml.h"
#include "common/xmpp/jid.h"

/* RFC 8259 section 7. The text is UTF-8, as all that came through a parser of ours. */
static void append_json(struct buf *out, struct str s)
{
	buf_append_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_append_char(out, '\\');
		if ((unsigned char)s.p[i] < 0x20)
			buf_printf(out, "\\u%04x", (unsigned)(unsigned char)s.p[i]);
		else
			buf_append_char(out, s.p[i]);
	}
	buf_append_char(out, '"');
}

static void write_payload(const struct rule *r, struct str from, struct str id, struct str body, struct buf *out)
{
	if (!r->json) {
		buf_append_str(out, body);
		return;
	}
	buf_append_cstr(out, "{\"from\":");
	append_json(out, from);
	buf_append_cstr(out, ",\"id\":");
	append_json(out, id);
	buf_append_cstr(out, ",\"body\":");
	append_json(out, body);
	buf_append_char(out, '}');
}

/* What is filled in is one level, or a part of one: + and # may stand in a localpart, and must not in a topic's name. */
static bool fits_level(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '/' || s.p[i] == '+' || s.p[i] == '#')
			return false;
	}
	return s.n > 0;
}

static bool write_topic(const struct rule *r, struct str from, struct buf *out)
{
	struct template_values v = { 0 };
	bool dollar = r->topic.count > 0 && r->topic.pieces[0].kind == PIECE_TEXT && r->topic.pieces[0].text[0] == '$';

	v.texts[PIECE_USER] = jid_view_local(from);
	v.texts[PIECE_DOMAIN] = jid_view_domain(from);
	v.texts[PIECE_NAME] = str_from(r->address);
	for (unsigned kind = PIECE_USER; kind <= PIECE_NAME; kind++) {
		if (template_uses(&r->topic, (enum piece_kind)kind) && !fits_level(v.texts[kind]))
			return false;
	}
	if (!template_render(&r->topic, &v, out) || !mqtt_topic_name_valid(buf_str(out), 0))
		return false;
	/* A user called $SYS does not get there by its name. */
	return dollar || buf_str(out).p[0] != '$';
}

enum to_topic_result to_topic_make(const struct rule *r, struct str stanza, struct str from, struct str id, size_t body_max,
                                   struct arena *arena, struct buf *topic, struct buf *payload)
{
	const struct xml_node *root = xml_parse(arena, stanza, STR("jabber:client"));
	const struct xml_node *child = root ? xml_child(root, "body", "jabber:client") : NULL;
	struct str body = child ? xml_text(arena, child) : (struct str){ 0 };

	if (body.n == 0)
		return TO_TOPIC_EMPTY;
	if (body.n > body_max)
		return TO_TOPIC_SIZE;
	if (!write_topic(r, from, topic))
		return TO_TOPIC_NAME;
	write_payload(r, from, id, body, payload);
	return TO_TOPIC_OK;
}
