/* SPDX-License-Identifier: Apache-2.0
 *
 * dialback: XEP-0220 in its four parts. As originating server we send a key over our stream (result out); as receiving server we get one (result in)
 * and ask the authoritative server over a stream of ours (verify out); as authoritative server we say whether a key is ours (verify in). Keys by
 * XEP-0185. A valid certificate for the name spares the question (XEP-0344 section 2.4). */
#include "services/s2s/s2s.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "common/crypto/digest.h"
#include "common/crypto/secret.h"
#include "services/s2s/metrics.h"

/* --- keys --------------------------------------------------------------------------------------------------------- */

static void hex(const uint8_t *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * n] = '\0';
}

/* HMAC-SHA256(SHA256(secret) in hex, "receiving originating id"), in hex. */
void s2s_dialback_key(struct str secret, struct str receiving, struct str originating, struct str id, char out[65])
{
	struct buf text = { 0 };
	uint8_t hash[32];
	char key[65];

	digest_hash(DIGEST_SHA256, secret, hash);
	hex(hash, sizeof(hash), key);
	buf_append_str(&text, receiving);
	buf_append_char(&text, ' ');
	buf_append_str(&text, originating);
	buf_append_char(&text, ' ');
	buf_append_str(&text, id);
	digest_hmac(DIGEST_SHA256, str_from(key), buf_str(&text), hash);
	hex(hash, sizeof(hash), out);
	buf_fini(&text);
}

static struct str secret_of(const struct s2s *s2s)
{
	return str_make((const char *)s2s->secret, sizeof(s2s->secret));
}

/* --- elements ----------------------------------------------------------------------------------------------------- */

struct names {
	char *from, *to; /* normalised; NULL: not a domain */
};

static char *domain_of(struct str text)
{
	char out[JID_PART_MAX + 1];
	size_t n;

	return text.n && jid_prep_domain(text, out, &n) == JID_OK ? mem_strndup(out, n) : NULL;
}

static bool read_names(const struct xml_node *node, struct names *out)
{
	out->from = domain_of(xml_get(node, "from"));
	out->to = domain_of(xml_get(node, "to"));
	return out->from && out->to;
}

static void names_fini(struct names *n)
{
	mem_free(n->from);
	mem_free(n->to);
}

static void answer(struct s2s_stream *s, const char *name, const char *from, const char *to, struct str id, const char *type,
                   const char *condition)
{
	struct buf *out = s2s_out(s);

	buf_printf(out, "<db:%s", name);
	xml_attr(out, "from", str_from(from));
	xml_attr(out, "to", str_from(to));
	if (id.n)
		xml_attr(out, "id", id);
	xml_attr(out, "type", str_from(type));
	if (condition)
		buf_printf(out, "><error type='%s'><%s xmlns='" S2S_NS_STANZAS "'/></error></db:%s>", stanza_error_type(condition),
		           condition, name);
	else
		buf_append_cstr(out, "/>");
	s->wrote_ms = net_now(s->s2s->net);
}

static void refuse_result(struct s2s_stream *s, const struct names *n, const char *condition)
{
	metric_inc(&s2s_metrics.dialback_failed);
	log_info(&s->log, "dialback refused: %s remote=%s local=%s", condition, n->from, n->to);
	answer(s, "result", n->to, n->from, (struct str){ 0 }, "error", condition);
}

/* --- receiving server: a key comes -------------------------------------------------------------------------------- */

static void verify_free(struct s2s_verify *v)
{
	list_remove(&v->node);
	v->asker->verify_count--;
	s2s_stream_unref(v->asker);
	mem_free(v->id);
	mem_free(v->key);
	mem_free(v);
}

static void ask_authority(struct s2s_stream *s, const struct names *n, struct str key)
{
	struct s2s_link *l = s2s_link_get(s->s2s, str_from(n->to), str_from(n->from));
	struct s2s_verify *v = mem_new(struct s2s_verify);

	v->asker = s2s_stream_ref(s);
	v->id = mem_strdup(s->stream_id);
	v->key = mem_strndup(key.p, key.n);
	v->since_ms = net_now(s->s2s->net);
	list_push_back(&l->verifies, &v->node);
	l->verify_count++;
	s->verify_count++;
	s2s_dialback_ask(l);
	s2s_link_pump(l);
}

static void take_key(struct s2s_stream *s, const struct names *n, struct str key)
{
	const struct s2s_config *c = s->s2s->config;
	struct s2s_link *l = s2s_link_find(s->s2s, str_from(n->to), str_from(n->from));
	struct s2s_pair *p = s2s_pair_find(s, str_from(n->to), str_from(n->from));
	bool certified = s2s_certified_for(s, n->from);

	if (p && p->proof != S2S_PROOF_NONE) {
		answer(s, "result", n->to, n->from, (struct str){ 0 }, "valid", NULL);
		return;
	}
	if (p) /* asked already */
		return;
	if (!certified && s2s_policy_certificate(s->s2s, n->from)) {
		refuse_result(s, n, "policy-violation");
		return;
	}
	if (!certified && (s->verify_count >= (uint64_t)c->verifies || (l && l->verify_count >= (uint64_t)c->verifies))) {
		refuse_result(s, n, "resource-constraint");
		return;
	}
	p = s2s_pair_add(s, str_from(n->to), str_from(n->from));
	if (!p) {
		refuse_result(s, n, "resource-constraint");
		return;
	}
	if (certified) {
		answer(s, "result", n->to, n->from, (struct str){ 0 }, "valid", NULL);
		s2s_proved(s, p, S2S_PROOF_CERTIFICATE);
		return;
	}
	ask_authority(s, n, key);
}

/* The stream's first key says for whom it speaks, where its header did not. */
static void name_stream(struct s2s_stream *s, const struct names *n)
{
	if (!s->remote)
		s->remote = mem_strdup(n->from);
	if (!s->local)
		s->local = mem_strdup(n->to);
}

void s2s_dialback_result_in(struct s2s_stream *s, const struct s2s_input *in)
{
	struct str key = xml_text(s->s2s->arena, in->node);
	struct names n;

	if (!read_names(in->node, &n)) {
		s2s_end(s, "improper-addressing", "");
	} else if (xml_get(in->node, "type").p) {
		s2s_end(s, "bad-format", "nothing was asked");
	} else if (!conn_tls(s->conn) && s->s2s->config->require_tls) {
		s2s_end(s, "policy-violation", "TLS is required");
	} else if (!s2s_local(s->s2s, str_from(n.to))) {
		refuse_result(s, &n, "item-not-found");
	} else if (s2s_local(s->s2s, str_from(n.from))) {
		refuse_result(s, &n, "not-allowed"); /* nobody out there speaks for us */
	} else if (s2s_policy_denied(s->s2s, n.from)) {
		refuse_result(s, &n, "policy-violation");
	} else if (key.n == 0 || key.n > 1024) {
		refuse_result(s, &n, "bad-request");
	} else {
		name_stream(s, &n);
		take_key(s, &n, key);
	}
	arena_reset(s->s2s->arena);
	names_fini(&n);
}

/* --- receiving server: what the authoritative one says -------------------------------------------------------------- */

void s2s_dialback_ask(struct s2s_link *l)
{
	struct s2s_stream *s = l->out;

	/* Whoever can speak with it may ask: no need to be known there (XEP-0220 section 2.3). But what is written between auth and success may come behind the
	 * success, where the other server expects a new stream header (RFC 6120 section 6.4.6); and what is written behind compress is read as compressed. */
	if (!s || !s->conn || !s->outbound || s->state == S2S_CLOSING || s->state < S2S_OUT_FEATURES || s->state == S2S_TLS ||
	    s->state == S2S_OUT_STARTTLS || s->state == S2S_OUT_SASL || s->state == S2S_OUT_COMPRESS ||
	    (!conn_tls(s->conn) && s->s2s->config->require_tls))
		return;
	list_for_each (node, &l->verifies) {
		struct s2s_verify *v = list_entry(node, struct s2s_verify, node);
		struct buf *out = s2s_out(s);

		if (v->asked)
			continue;
		v->asked = true;
		buf_append_cstr(out, "<db:verify");
		xml_attr(out, "from", str_from(l->local));
		xml_attr(out, "to", str_from(l->remote));
		xml_attr(out, "id", str_from(v->id));
		buf_append_char(out, '>');
		xml_escape(out, str_from(v->key));
		buf_append_cstr(out, "</db:verify>");
	}
}

/* The asker may be gone. Section 2.4.2: a key that is not valid ends the stream that brought it. */
static void settle(struct s2s_link *l, struct s2s_verify *v, const char *condition, bool valid)
{
	struct s2s_stream *s = v->asker;
	struct s2s_pair *p = s2s_pair_find(s, str_from(l->local), str_from(l->remote));
	bool alive = s->conn && s->state != S2S_CLOSING;

	s2s_stream_ref(s);
	l->verify_count--;
	verify_free(v);
	if (!alive || !p) {
		s2s_stream_unref(s);
		return;
	}
	if (valid) {
		answer(s, "result", l->local, l->remote, (struct str){ 0 }, "valid", NULL);
		s2s_proved(s, p, S2S_PROOF_DIALBACK);
	} else {
		metric_inc(&s2s_metrics.dialback_failed);
		log_info(&s->log, "dialback of %s to %s failed: %s", l->remote, l->local, condition ? condition : "the key is not valid");
		answer(s, "result", l->local, l->remote, (struct str){ 0 }, condition ? "error" : "invalid", condition);
		s2s_pair_drop(s, p);
		if (!condition && !s2s_any_proved(s))
			s2s_finish(s, "a dialback key was not valid");
	}
	s2s_stream_unref(s);
}

void s2s_dialback_fail(struct s2s_link *l, const char *condition)
{
	list_for_each_safe (node, &l->verifies)
		settle(l, list_entry(node, struct s2s_verify, node), condition, false);
}

void s2s_dialback_expire(struct s2s_link *l, uint64_t now_ms)
{
	list_for_each_safe (node, &l->verifies) {
		struct s2s_verify *v = list_entry(node, struct s2s_verify, node);

		if (now_ms - v->since_ms > (uint64_t)l->s2s->config->dialback_ms)
			settle(l, v, "remote-server-timeout", false);
	}
}

void s2s_dialback_verify_out(struct s2s_stream *s, const struct s2s_input *in)
{
	struct str id = xml_get(in->node, "id"), type = xml_get(in->node, "type");
	struct s2s_link *l = s->link;
	struct names n;

	if (read_names(in->node, &n) && l && strcmp(n.from, l->remote) == 0 && strcmp(n.to, l->local) == 0) {
		list_for_each_safe (node, &l->verifies) {
			struct s2s_verify *v = list_entry(node, struct s2s_verify, node);

			if (!v->asked || !str_is(id, v->id))
				continue;
			settle(l, v, str_is(type, "error") ? "remote-server-not-found" : NULL, str_is(type, "valid"));
			break;
		}
	} else {
		s2s_end(s, "improper-addressing", "");
	}
	names_fini(&n);
}

/* --- authoritative server ----------------------------------------------------------------------------------------- */

void s2s_dialback_verify_in(struct s2s_stream *s, const struct s2s_input *in)
{
	struct str id = xml_get(in->node, "id"), key = xml_text(s->s2s->arena, in->node);
	char expected[65];
	struct names n;

	if (!read_names(in->node, &n)) {
		s2s_end(s, "improper-addressing", "");
	} else if (id.n == 0 || id.n > 1024) {
		s2s_end(s, "bad-format", "a key is verified by its stream's id");
	} else if (!conn_tls(s->conn) && s->s2s->config->require_tls) {
		s2s_end(s, "policy-violation", "TLS is required");
	} else if (!s2s_local(s->s2s, str_from(n.to))) {
		answer(s, "verify", n.to, n.from, id, "error", "item-not-found");
	} else {
		s2s_dialback_key(secret_of(s->s2s), str_from(n.from), str_from(n.to), id, expected);
		answer(s, "verify", n.to, n.from, id, secret_equal_str(key, str_from(expected)) ? "valid" : "invalid", NULL);
	}
	arena_reset(s->s2s->arena);
	names_fini(&n);
}

/* --- originating server ------------------------------------------------------------------------------------------- */

void s2s_dialback_begin(struct s2s_stream *s)
{
	struct buf *out = s2s_out(s);
	char key[65];

	s2s_dialback_key(secret_of(s->s2s), str_from(s->remote), str_from(s->local), str_from(s->stream_id), key);
	buf_append_cstr(out, "<db:result");
	xml_attr(out, "from", str_from(s->local));
	xml_attr(out, "to", str_from(s->remote));
	buf_printf(out, ">%s</db:result>", key);
	s2s_stream_set_state(s, S2S_OUT_DIALBACK);
}

void s2s_dialback_result_out(struct s2s_stream *s, const struct s2s_input *in)
{
	struct str type = xml_get(in->node, "type");
	const struct xml_node *error = xml_child(in->node, "error", NULL), *condition = error ? xml_first_element(error) : NULL;
	char why[120];
	struct names n;

	if (!read_names(in->node, &n) || s->state != S2S_OUT_DIALBACK || strcmp(n.from, s->remote) != 0 || strcmp(n.to, s->local) != 0) {
		s2s_end(s, "improper-addressing", "");
	} else if (str_is(type, "valid")) {
		s2s_authenticated(s);
	} else {
		snprintf(why, sizeof(why), "dialback: the other server says %.*s %.*s", (int)(type.n < 20 ? type.n : 20),
		         type.n ? type.p : "", condition ? (int)(condition->name.n < 40 ? condition->name.n : 40) : 0,
		         condition ? condition->name.p : "");
		s2s_finish(s, why);
	}
	names_fini(&n);
}
