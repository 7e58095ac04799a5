/* SPDX-License-Identifier: Apache-2.0
 *
 * stream: the life of a client's stream, and the table that says for each state what each event does. */
#include "services/c2s-edge/sm.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/c2s-edge/metrics.h"

/* --- refusals ----------------------------------------------------------------------------------------------------- */

static void ignore(struct c2s_stream *s, const struct c2s_input *in)
{
	(void)s;
	(void)in;
}

/* RFC 6120 section 4.9.3.12: before login, and for stanzas before a resource is bound (section 7.1). */
static void not_authorized(struct c2s_stream *s, const struct c2s_input *in)
{
	(void)in;
	c2s_end(s, "not-authorized", s->login && s->login->account ? "bind a resource first" : "log in first");
}

static void unsupported(struct c2s_stream *s, const struct c2s_input *in)
{
	(void)in;
	c2s_end(s, "unsupported-stanza-type", "this element has no meaning here");
}

static void too_late(struct c2s_stream *s, const struct c2s_input *in)
{
	(void)in;
	c2s_end(s, "policy-violation", "the login took too long");
}

/* While a step waits for another service nothing is read, and a TLS handshake gives no elements: a bug of ours. */
static void impossible(struct c2s_stream *s, const struct c2s_input *in)
{
	(void)in;
	log_error(&s->log, "an element came in state %s", c2s_state_name(s->state));
	c2s_end(s, "internal-server-error", "");
}

/* clang-format off */
#define WAITING \
	[C2S_EV_HEADER] = impossible, [C2S_EV_STARTTLS] = impossible, [C2S_EV_AUTH] = impossible, [C2S_EV_RESPONSE] = impossible, \
	[C2S_EV_ABORT] = impossible, [C2S_EV_COMPRESS] = impossible, [C2S_EV_BIND] = impossible, [C2S_EV_SESSION] = impossible, \
	[C2S_EV_REGISTER] = impossible, [C2S_EV_STANZA] = impossible, [C2S_EV_ENABLE] = impossible, [C2S_EV_RESUME] = impossible, \
	[C2S_EV_REQUEST] = impossible, [C2S_EV_ANSWER] = impossible, [C2S_EV_UNKNOWN] = impossible, \
	[C2S_EV_CLOSED] = c2s_closed, [C2S_EV_BAD_XML] = c2s_bad_xml, [C2S_EV_TIMEOUT] = too_late

const c2s_handler c2s_stream_table[C2S_STATES][C2S_EVENTS] = {
	[C2S_CONNECTED] = {
		[C2S_EV_HEADER] = c2s_header,
		[C2S_EV_STARTTLS] = impossible, [C2S_EV_AUTH] = impossible, [C2S_EV_RESPONSE] = impossible, [C2S_EV_ABORT] = impossible,
		[C2S_EV_COMPRESS] = impossible, [C2S_EV_BIND] = impossible, [C2S_EV_SESSION] = impossible, [C2S_EV_REGISTER] = impossible,
		[C2S_EV_STANZA] = impossible, [C2S_EV_ENABLE] = impossible, [C2S_EV_RESUME] = impossible, [C2S_EV_REQUEST] = impossible,
		[C2S_EV_ANSWER] = impossible, [C2S_EV_UNKNOWN] = impossible,
		[C2S_EV_CLOSED] = c2s_closed, [C2S_EV_BAD_XML] = c2s_bad_xml, [C2S_EV_SECURED] = impossible, [C2S_EV_TIMEOUT] = too_late,
	},
	[C2S_ASKING] = { WAITING, [C2S_EV_SECURED] = impossible },
	[C2S_HEADER] = {
		[C2S_EV_HEADER] = impossible,
		[C2S_EV_STARTTLS] = c2s_starttls,
		[C2S_EV_AUTH] = c2s_sasl_auth,
		[C2S_EV_RESPONSE] = c2s_sasl_unasked,
		[C2S_EV_ABORT] = c2s_sasl_abort,
		[C2S_EV_COMPRESS] = c2s_compress_refuse,
		[C2S_EV_BIND] = not_authorized,
		[C2S_EV_SESSION] = not_authorized,
		[C2S_EV_REGISTER] = c2s_register,
		[C2S_EV_STANZA] = not_authorized,
		[C2S_EV_ENABLE] = c2s_sm_unexpected, [C2S_EV_RESUME] = c2s_sm_unexpected,
		[C2S_EV_REQUEST] = c2s_sm_unexpected, [C2S_EV_ANSWER] = c2s_sm_unexpected,
		[C2S_EV_UNKNOWN] = unsupported,
		[C2S_EV_CLOSED] = c2s_closed, [C2S_EV_BAD_XML] = c2s_bad_xml, [C2S_EV_SECURED] = impossible, [C2S_EV_TIMEOUT] = too_late,
	},
	[C2S_TLS] = {
		WAITING,
		[C2S_EV_SECURED] = c2s_secured,
	},
	[C2S_SASL] = {
		[C2S_EV_HEADER] = impossible,
		[C2S_EV_STARTTLS] = c2s_starttls_refuse,
		[C2S_EV_AUTH] = c2s_sasl_again,
		[C2S_EV_RESPONSE] = c2s_sasl_response,
		[C2S_EV_ABORT] = c2s_sasl_abort,
		[C2S_EV_COMPRESS] = c2s_compress_refuse,
		[C2S_EV_BIND] = not_authorized,
		[C2S_EV_SESSION] = not_authorized,
		[C2S_EV_REGISTER] = not_authorized,
		[C2S_EV_STANZA] = not_authorized,
		[C2S_EV_ENABLE] = c2s_sm_unexpected, [C2S_EV_RESUME] = c2s_sm_unexpected,
		[C2S_EV_REQUEST] = c2s_sm_unexpected, [C2S_EV_ANSWER] = c2s_sm_unexpected,
		[C2S_EV_UNKNOWN] = unsupported,
		[C2S_EV_CLOSED] = c2s_closed, [C2S_EV_BAD_XML] = c2s_bad_xml, [C2S_EV_SECURED] = impossible, [C2S_EV_TIMEOUT] = too_late,
	},
	[C2S_SASL_WAIT] = { WAITING, [C2S_EV_SECURED] = impossible },
	[C2S_REGISTERING] = { WAITING, [C2S_EV_SECURED] = impossible },
	[C2S_BIND] = {
		[C2S_EV_HEADER] = impossible,
		[C2S_EV_STARTTLS] = c2s_starttls_refuse,
		[C2S_EV_AUTH] = unsupported,
		[C2S_EV_RESPONSE] = unsupported,
		[C2S_EV_ABORT] = unsupported,
		[C2S_EV_COMPRESS] = c2s_compress,
		[C2S_EV_BIND] = c2s_bind,
		[C2S_EV_SESSION] = not_authorized,
		[C2S_EV_REGISTER] = not_authorized,
		[C2S_EV_STANZA] = not_authorized,
		[C2S_EV_ENABLE] = c2s_sm_unexpected,
		[C2S_EV_RESUME] = c2s_resume,
		[C2S_EV_REQUEST] = c2s_sm_unexpected,
		[C2S_EV_ANSWER] = c2s_sm_unexpected,
		[C2S_EV_UNKNOWN] = unsupported,
		[C2S_EV_CLOSED] = c2s_closed, [C2S_EV_BAD_XML] = c2s_bad_xml, [C2S_EV_SECURED] = impossible, [C2S_EV_TIMEOUT] = too_late,
	},
	[C2S_BINDING] = { WAITING, [C2S_EV_SECURED] = impossible },
	[C2S_RESUMING] = { WAITING, [C2S_EV_SECURED] = impossible },
	[C2S_BOUND] = {
		[C2S_EV_HEADER] = impossible,
		[C2S_EV_STARTTLS] = c2s_starttls_refuse,
		[C2S_EV_AUTH] = unsupported,
		[C2S_EV_RESPONSE] = unsupported,
		[C2S_EV_ABORT] = unsupported,
		[C2S_EV_COMPRESS] = c2s_compress_refuse,
		[C2S_EV_BIND] = c2s_bind_again,
		[C2S_EV_SESSION] = c2s_session_legacy,
		[C2S_EV_REGISTER] = c2s_submit, /* the account's owner: password change and removal */
		[C2S_EV_STANZA] = c2s_submit,
		[C2S_EV_ENABLE] = c2s_sm_enable,
		[C2S_EV_RESUME] = c2s_sm_unexpected,
		[C2S_EV_REQUEST] = c2s_sm_request,
		[C2S_EV_ANSWER] = c2s_sm_answer,
		[C2S_EV_UNKNOWN] = unsupported,
		[C2S_EV_CLOSED] = c2s_closed, [C2S_EV_BAD_XML] = c2s_bad_xml, [C2S_EV_SECURED] = impossible, [C2S_EV_TIMEOUT] = ignore,
	},
	/* What the client says after our goodbye is not heard. */
	[C2S_CLOSING] = {
		[C2S_EV_HEADER] = ignore, [C2S_EV_STARTTLS] = ignore, [C2S_EV_AUTH] = ignore, [C2S_EV_RESPONSE] = ignore, [C2S_EV_ABORT] = ignore,
		[C2S_EV_COMPRESS] = ignore, [C2S_EV_BIND] = ignore, [C2S_EV_SESSION] = ignore, [C2S_EV_REGISTER] = ignore, [C2S_EV_STANZA] = ignore,
		[C2S_EV_ENABLE] = ignore, [C2S_EV_RESUME] = ignore, [C2S_EV_REQUEST] = ignore, [C2S_EV_ANSWER] = ignore,
		[C2S_EV_UNKNOWN] = ignore, [C2S_EV_CLOSED] = ignore, [C2S_EV_BAD_XML] = ignore, [C2S_EV_SECURED] = ignore, [C2S_EV_TIMEOUT] = ignore,
	},
};
/* clang-format on */

const char *c2s_state_name(enum c2s_state state)
{
	static const char *const names[C2S_STATES] = { "connected",   "asking", "header",  "tls",      "sasl",  "sasl-wait",
		                                       "registering", "bind",   "binding", "resuming", "bound", "closing" };

	return names[state];
}

void c2s_stream_event(struct c2s_stream *s, enum c2s_event event, const struct c2s_input *in)
{
	c2s_stream_table[s->state][event](s, in);
}

/* --- elements to events ------------------------------------------------------------------------------------------- */

enum c2s_event c2s_classify(const struct stanza *stanza, const struct xml_node *node)
{
	static const struct {
		const char *ns, *name;
		enum c2s_event event;
	} iqs[] = {
		{ C2S_NS_BIND, "bind", C2S_EV_BIND },
		{ C2S_NS_SESSION, "session", C2S_EV_SESSION },
		{ C2S_NS_REGISTER, "query", C2S_EV_REGISTER },
	}, others[] = {
		{ C2S_NS_TLS, "starttls", C2S_EV_STARTTLS },  { C2S_NS_SASL, "auth", C2S_EV_AUTH },
		{ C2S_NS_SASL, "response", C2S_EV_RESPONSE }, { C2S_NS_SASL, "abort", C2S_EV_ABORT },
		{ C2S_NS_COMPRESS, "compress", C2S_EV_COMPRESS }, { C2S_NS_SM, "enable", C2S_EV_ENABLE },
		{ C2S_NS_SM, "resume", C2S_EV_RESUME },	{ C2S_NS_SM, "r", C2S_EV_REQUEST },
		{ C2S_NS_SM, "a", C2S_EV_ANSWER },
	};

	if (stanza) {
		/* Of presence and message the child is not known here, and does not matter. */
		for (size_t i = 0; stanza->kind == STANZA_IQ && stanza->child_ns.n > 0 && i < sizeof(iqs) / sizeof(*iqs); i++) {
			if (str_is(stanza->child_ns, iqs[i].ns) && str_is(stanza->child_name, iqs[i].name))
				return iqs[i].event;
		}
		return C2S_EV_STANZA;
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		if (str_is(node->name, others[i].name) && str_is(node->ns, others[i].ns))
			return others[i].event;
	}
	return C2S_EV_UNKNOWN;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void login_free(struct c2s_login **login)
{
	struct c2s_login *l = *login;

	if (!l)
		return;
	mem_free(l->account);
	mem_free(l->mechanism);
	mem_free_secret(l->state, l->state_n);
	mem_free(l->bind_id);
	mem_free(l->resource);
	mem_free_secret(l->input, l->input_n);
	mem_free(l);
	*login = NULL;
}

void c2s_stream_new(struct c2s_edge *edge, int fd, const struct net_addr *peer, bool direct_tls)
{
	struct c2s_stream *s = mem_new(struct c2s_stream);

	s->edge = edge;
	s->refs = 1;
	s->id = random_u64();
	s->log = (struct log_ctx){ .parent = edge->log, .key = "stream", .number = s->id };
	s->direct_tls = direct_tls;
	wheel_timer_init(&s->timer, c2s_limits_on_timer);
	list_init(&s->node);
	s->conn = conn_accept(edge->net, fd, peer, &c2s_conn_events, s);
	if (!s->conn || !c2s_limits_admit(s)) {
		conn_drop(&s->conn);
		mem_free(s);
		return;
	}
	metric_inc(&c2s_metrics.accepted);
	list_push_back(&edge->streams, &s->node);
	edge->stream_count++;
	s->login = mem_new(struct c2s_login);
	list_init(&s->login->waiting);
	s->login->deadline_ms = net_now(edge->net) + (uint64_t)edge->config->login_ms;
	net_timer_set(edge->net, &s->timer, (uint64_t)edge->config->login_ms);
	conn_set_dead_after(s->conn, (uint32_t)edge->config->dead_after_ms);
	s->xml = c2s_parser_new(s);
	c2s_limits_apply(s);
	c2s_edge_gate(edge);
	if (direct_tls) {
		c2s_stream_set_state(s, C2S_TLS);
		if (conn_start_tls(s->conn, edge->tls, (struct str){ 0 }, "xmpp-client") < 0)
			c2s_end(s, "internal-server-error", "");
	}
}

struct c2s_stream *c2s_stream_ref(struct c2s_stream *s)
{
	s->refs++;
	return s;
}

/* The edge may be gone when the last reference goes: nothing of it is touched. */
void c2s_stream_unref(struct c2s_stream *s)
{
	if (--s->refs > 0)
		return;
	login_free(&s->login);
	mem_free(s->lang);
	mem_free(s->written);
	mem_free(s);
}

/* The one place where a stream's state changes. */
void c2s_stream_set_state(struct c2s_stream *s, enum c2s_state state)
{
	log_debug(&s->log, "%s to %s", c2s_state_name(s->state), c2s_state_name(state));
	s->state = (uint8_t)state;
	if (state == C2S_CLOSING) {
		c2s_gate_abandon(s);
		c2s_resume_abandon(s);
	}
	if (state == C2S_BOUND) {
		login_free(&s->login);
		c2s_limits_logged_in(s);
	}
}

void c2s_stream_hold(struct c2s_stream *s, enum c2s_hold why, bool on)
{
	uint8_t before = s->holds;

	s->holds = (uint8_t)(on ? before | why : before & ~why);
	if (!s->conn || !before == !s->holds)
		return;
	if (!s->holds) {
		conn_resume(s->conn);
		return;
	}
	conn_pause(s->conn);
	if (s->feeding)
		xml_stream_pause(s->xml);
}

/* RFC 6120 section 4.3.3. */
void c2s_stream_restart(struct c2s_stream *s)
{
	xml_stream_reset(s->xml);
	s->header_sent = false;
	c2s_stream_set_state(s, C2S_CONNECTED);
}
