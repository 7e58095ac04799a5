/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-gateway/to_user.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/crypto/digest.h"
#include "common/text/utf8.h"
#include "common/xml/xml_escape.h"

#define REPLACEMENT STR("\xEF\xBF\xBD")

void to_user_fini(struct to_user *m)
{
	for (size_t i = 0; i < m->to_count; i++)
		jid_fini(&m->to[i]);
	buf_fini(&m->bytes);
	*m = (struct to_user){ 0 };
}

/* XML 1.0 section 2.2, what stands above ASCII; below it xml_escape_text sees to it. */
static bool xml_char(uint32_t cp)
{
	return cp != 0xFFFE && cp != 0xFFFF;
}

/* An alarm arrives even if its text is not what it should be: what is no UTF-8, or no character of XML, becomes U+FFFD. */
static void append_clean(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n;) {
		uint32_t cp = 0;
		size_t n = utf8_decode(text.p + i, text.n - i, &cp);

		if (n > 0 && xml_char(cp))
			buf_append(out, text.p + i, n);
		else
			buf_append_str(out, REPLACEMENT);
		i += n > 0 ? n : 1;
	}
}

/* A message of the broker's session has the same packet identifier when it comes again, and no other has that before 65,535 went by. */
static void set_key(struct to_user *m, const struct mqtt_publish *p)
{
	uint8_t hash[DIGEST_MAX];
	struct buf all = { 0 };

	if (p->qos == 0) {
		random_token(m->id, 20);
		m->key_stream = m->key_number = 0;
		return;
	}
	buf_append_str(&all, p->topic);
	buf_append_char(&all, '\0');
	buf_append_str(&all, p->payload);
	digest_hash(DIGEST_SHA256, buf_str(&all), hash);
	buf_fini(&all);
	memcpy(&m->key_stream, hash, sizeof(m->key_stream));
	m->key_stream |= 1; /* 0 would be no name */
	m->key_number = p->packet_id;
	snprintf(m->id, sizeof(m->id), "%016llx%04x", (unsigned long long)m->key_stream, (unsigned)p->packet_id);
}

/* A localpart that is none, or that would end the localpart, is refused: an @ or a slash of a device's changes no domain. */
static void add_recipients(const struct rule *r, const struct template_values *v, struct to_user *out)
{
	struct buf local = { 0 };

	buf_init(&local, JID_PART_MAX);
	for (size_t i = 0; i < r->to_count; i++) {
		struct jid *jid = &out->to[out->to_count];

		buf_clear(&local);
		if (!template_render(&r->to[i].local, v, &local) || buf_str(&local).n == 0)
			continue;
		out->to_count += jid_make(buf_str(&local), str_from(r->to[i].domain), STR(""), jid) == JID_OK;
	}
	buf_fini(&local);
}

static void append_element(struct buf *out, const char *name, struct str text)
{
	buf_printf(out, "<%s>", name);
	xml_escape_text(out, text);
	buf_printf(out, "</%s>", name);
}

static void write_stanza(const struct rule *r, struct str body, struct str subject, struct to_user *out)
{
	const char *type = stanza_type_name(r->type);

	buf_printf(&out->bytes, "<message id='%s'", out->id);
	if (type)
		buf_printf(&out->bytes, " type='%s'", type);
	buf_append_char(&out->bytes, '>');
	if (subject.n > 0)
		append_element(&out->bytes, "subject", subject);
	append_element(&out->bytes, "body", body);
	buf_append_cstr(&out->bytes, "</message>");
	out->flags = STANZA_BODY | (subject.n > 0 ? STANZA_SUBJECT : 0);
}

static bool blank(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!strchr(" \t\r\n", s.p[i]))
			return false;
	}
	return true;
}

/* Into `out`, clean. */
static enum to_user_result fill_in(const struct template *t, const struct template_values *v, size_t max, struct buf *out)
{
	struct buf raw = { 0 };
	enum to_user_result result = TO_USER_OK;

	buf_init(&raw, max);
	if (!template_render(t, v, &raw))
		result = raw.overflow ? TO_USER_SIZE : TO_USER_PAYLOAD;
	else
		append_clean(out, buf_str(&raw));
	buf_fini(&raw);
	return result;
}

static bool wants_json(const struct rule *r)
{
	bool wants = template_uses(&r->body, PIECE_JSON) || template_uses(&r->subject, PIECE_JSON);

	for (size_t i = 0; i < r->to_count; i++)
		wants = wants || template_uses(&r->to[i].local, PIECE_JSON);
	return wants;
}

enum to_user_result to_user_make(const struct rule *r, struct str filter, const struct mqtt_publish *p, size_t body_max,
                                 struct to_user *out)
{
	struct template_values v = { .texts = { [PIECE_TOPIC] = p->topic, [PIECE_PAYLOAD] = p->payload } };
	struct buf body = { 0 }, subject = { 0 };
	enum to_user_result result;
	struct json_value json;

	to_user_fini(out);
	rules_captures(filter, p->topic, v.levels);
	if (wants_json(r) && json_read(p->payload, &json))
		v.json = &json;
	result = fill_in(&r->body, &v, body_max, &body);
	if (result == TO_USER_OK)
		result = fill_in(&r->subject, &v, body_max, &subject);
	if (result == TO_USER_OK && blank(buf_str(&body)))
		result = TO_USER_EMPTY;
	if (result == TO_USER_OK) {
		add_recipients(r, &v, out);
		result = out->to_count > 0 ? TO_USER_OK : TO_USER_ADDRESS;
	}
	if (result == TO_USER_OK) {
		set_key(out, p);
		write_stanza(r, buf_str(&body), buf_str(&subject), out);
	}
	buf_fini(&body);
	buf_fini(&subject);
	return result;
}
