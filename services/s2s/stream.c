/* SPDX-License-Identifier: Apache-2.0
 *
 * stream: the life of a stream, and the table that says for each state what each event does. */
#include "services/s2s/s2s.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/s2s/metrics.h"

/* --- refusals ----------------------------------------------------------------------------------------------------- */

static void ignore(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)s;
	(void)in;
}

static void unsupported(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)in;
	s2s_end(s, "unsupported-stanza-type", "this element has no meaning here");
}

static void not_authorized(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)in;
	s2s_end(s, "not-authorized", "");
}

static void too_late(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)in;
	s2s_end(s, "connection-timeout", "the stream was not ready in time");
}

static void again(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)in;
	s2s_end(s, "bad-format", "a second stream header");
}

/* The other server does not offer what it was asked for, or has changed its mind. */
static void tls_refused(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)in;
	s2s_finish(s, "the other server refuses TLS");
}

#define ALWAYS   [S2S_EV_ERROR] = s2s_peer_error, [S2S_EV_CLOSED] = s2s_closed, [S2S_EV_BAD_XML] = s2s_bad_xml, [S2S_EV_TIMEOUT] = too_late
#define NO_LAYER [S2S_EV_SECURED] = unsupported
#define NOT_ASKED                                                                                                                          \
	[S2S_EV_FEATURES] = unsupported, [S2S_EV_PROCEED] = unsupported, [S2S_EV_SUCCESS] = unsupported, [S2S_EV_FAILURE] = unsupported,   \
	[S2S_EV_COMPRESSED] = unsupported, [S2S_EV_ENABLED] = unsupported, [S2S_EV_UNKNOWN] = unsupported
/* What only who was connected to gets. */
#define FOR_SERVERS                                                                                                                        \
	[S2S_EV_STARTTLS] = unsupported, [S2S_EV_AUTH] = unsupported, [S2S_EV_BIDI] = unsupported, [S2S_EV_COMPRESS] = unsupported,        \
	[S2S_EV_ENABLE] = unsupported, [S2S_EV_RESUME] = unsupported

#define OUTBOUND                                                                                                                           \
	ALWAYS, NO_LAYER, FOR_SERVERS,                                                                                                     \
	        [S2S_EV_HEADER] = again, [S2S_EV_FEATURES] = unsupported, [S2S_EV_PROCEED] = unsupported, [S2S_EV_SUCCESS] = unsupported,  \
	        [S2S_EV_FAILURE] = unsupported, [S2S_EV_RESULT] = s2s_dialback_result_out, [S2S_EV_VERIFY] = s2s_dialback_verify_out,      \
	        [S2S_EV_COMPRESSED] = unsupported, [S2S_EV_ENABLED] = unsupported, [S2S_EV_REQUEST] = s2s_ack_request,                     \
	        [S2S_EV_ANSWER] = s2s_ack_answer, [S2S_EV_STANZA] = s2s_stanza, [S2S_EV_UNKNOWN] = unsupported

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
const s2s_handler s2s_stream_table[S2S_STATES][S2S_EVENTS] = {
	[S2S_IN_CONNECTED] = { ALWAYS, NO_LAYER, NOT_ASKED, [S2S_EV_HEADER] = s2s_header_in, [S2S_EV_STARTTLS] = not_authorized,
	                       [S2S_EV_AUTH] = not_authorized, [S2S_EV_RESULT] = not_authorized, [S2S_EV_VERIFY] = not_authorized,
	                       [S2S_EV_BIDI] = not_authorized, [S2S_EV_COMPRESS] = not_authorized, [S2S_EV_ENABLE] = not_authorized,
	                       [S2S_EV_RESUME] = not_authorized, [S2S_EV_REQUEST] = not_authorized, [S2S_EV_ANSWER] = not_authorized,
	                       [S2S_EV_STANZA] = not_authorized },
	[S2S_IN_TALKING] = { ALWAYS, NO_LAYER, NOT_ASKED, [S2S_EV_HEADER] = again, [S2S_EV_STARTTLS] = s2s_starttls,
	                     [S2S_EV_AUTH] = s2s_external_auth, [S2S_EV_RESULT] = s2s_dialback_result_in,
	                     [S2S_EV_VERIFY] = s2s_dialback_verify_in, [S2S_EV_BIDI] = s2s_bidi_in, [S2S_EV_COMPRESS] = s2s_compress_in,
	                     [S2S_EV_ENABLE] = s2s_ack_enable, [S2S_EV_RESUME] = s2s_ack_resume, [S2S_EV_REQUEST] = s2s_ack_request,
	                     [S2S_EV_ANSWER] = s2s_ack_answer, [S2S_EV_STANZA] = s2s_stanza },
	[S2S_OUT_HEADER] = { OUTBOUND, [S2S_EV_HEADER] = s2s_header_out },
	[S2S_OUT_FEATURES] = { OUTBOUND, [S2S_EV_FEATURES] = s2s_features },
	[S2S_OUT_STARTTLS] = { OUTBOUND, [S2S_EV_PROCEED] = s2s_proceed, [S2S_EV_FAILURE] = tls_refused },
	[S2S_OUT_SASL] = { OUTBOUND, [S2S_EV_SUCCESS] = s2s_external_success, [S2S_EV_FAILURE] = s2s_external_failure },
	[S2S_OUT_DIALBACK] = { OUTBOUND },
	[S2S_OUT_COMPRESS] = { OUTBOUND, [S2S_EV_COMPRESSED] = s2s_compress_agreed, [S2S_EV_FAILURE] = s2s_compress_refused },
	[S2S_OUT_ENABLING] = { OUTBOUND, [S2S_EV_ENABLED] = s2s_ack_enabled, [S2S_EV_FAILURE] = s2s_ack_refused },
	[S2S_OUT_OPEN] = { OUTBOUND },
	[S2S_TLS] = { ALWAYS,
	              [S2S_EV_SECURED] = s2s_secured,
	              [S2S_EV_HEADER] = ignore,
	              [S2S_EV_FEATURES] = ignore,
	              [S2S_EV_STARTTLS] = ignore,
	              [S2S_EV_PROCEED] = ignore,
	              [S2S_EV_AUTH] = ignore,
	              [S2S_EV_SUCCESS] = ignore,
	              [S2S_EV_FAILURE] = ignore,
	              [S2S_EV_RESULT] = ignore,
	              [S2S_EV_VERIFY] = ignore,
	              [S2S_EV_BIDI] = ignore,
	              [S2S_EV_COMPRESS] = ignore,
	              [S2S_EV_COMPRESSED] = ignore,
	              [S2S_EV_ENABLE] = ignore,
	              [S2S_EV_RESUME] = ignore,
	              [S2S_EV_ENABLED] = ignore,
	              [S2S_EV_REQUEST] = ignore,
	              [S2S_EV_ANSWER] = ignore,
	              [S2S_EV_STANZA] = ignore,
	              [S2S_EV_UNKNOWN] = ignore },
	[S2S_CLOSING] = { ignore, ignore, ignore, ignore, ignore, ignore, ignore, ignore, ignore, ignore, ignore, ignore,
	                  ignore, ignore, ignore, ignore, ignore, ignore, ignore, ignore, ignore, ignore, ignore, ignore },
};
#pragma GCC diagnostic pop

void s2s_stream_event(struct s2s_stream *s, enum s2s_event event, const struct s2s_input *in)
{
	s2s_stream_table[s->state][event](s, in);
}

const char *s2s_state_name(enum s2s_state state)
{
	static const char *const names[S2S_STATES] = {
		[S2S_IN_CONNECTED] = "connected",
		[S2S_IN_TALKING] = "talking",
		[S2S_OUT_HEADER] = "header sent",
		[S2S_OUT_FEATURES] = "waits for features",
		[S2S_OUT_STARTTLS] = "starttls sent",
		[S2S_OUT_SASL] = "authenticates",
		[S2S_OUT_DIALBACK] = "waits for dialback",
		[S2S_OUT_COMPRESS] = "asks for compression",
		[S2S_OUT_ENABLING] = "enables stream management",
		[S2S_OUT_OPEN] = "open",
		[S2S_TLS] = "TLS handshake",
		[S2S_CLOSING] = "closing",
	};

	return names[state];
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static bool ready(const struct s2s_stream *s)
{
	return s->outbound ? s->state == S2S_OUT_OPEN : s->state == S2S_IN_TALKING && s2s_any_proved(s);
}

static void check_peer(struct s2s_stream *s, uint64_t now_ms)
{
	const struct s2s_config *c = s->s2s->config;
	bool waits = s->managed ? s->asked : s->ping != 0;

	s2s_ack_look(s);
	if (waits && now_ms - s->holds_ms > (uint64_t)c->answer_ms) {
		s2s_end(s, "connection-timeout", "no acknowledgement");
	} else if (now_ms - conn_last_read_ms(s->conn) > (uint64_t)c->idle_ms && now_ms - s->wrote_ms > (uint64_t)c->idle_ms &&
	           s->window.taken == s->window.done) {
		s2s_finish(s, "idle");
	} else if (c->keepalive_ms && s2s_stream_speaks(s) && now_ms - s->wrote_ms > (uint64_t)c->keepalive_ms &&
	           conn_queued(s->conn) == 0 && now_ms - conn_last_read_ms(s->conn) > (uint64_t)c->keepalive_ms) {
		buf_append_char(s2s_out(s), ' ');
		s->wrote_ms += (uint64_t)c->keepalive_ms / 2;
	}
}

#define LOOK_MS 1000u

static void on_timer(struct wheel_timer *t)
{
	struct s2s_stream *s = (struct s2s_stream *)((char *)t - offsetof(struct s2s_stream, timer));
	struct s2s_input in = { 0 };

	s2s_stream_ref(s);
	if (!ready(s) && net_now(s->s2s->net) >= s->early_until_ms)
		s2s_stream_event(s, S2S_EV_TIMEOUT, &in);
	else if (s->conn && s->state != S2S_CLOSING)
		check_peer(s, net_now(s->s2s->net));
	if (s->conn && s->state != S2S_CLOSING)
		net_timer_set(s->s2s->net, &s->timer, LOOK_MS);
	s2s_stream_unref(s);
}

static void on_flush(struct net_task *t)
{
	struct s2s_stream *s = (struct s2s_stream *)((char *)t - offsetof(struct s2s_stream, flush));

	if (s2s_stream_speaks(s))
		s2s_write_end_of_turn(s);
}

/* Inbound: between the restart and our features there is nothing that it could be said on. */
bool s2s_stream_speaks(const struct s2s_stream *s)
{
	return s->conn && (s->state == S2S_OUT_OPEN || s->state == S2S_IN_TALKING);
}

void s2s_stream_limits(struct s2s_stream *s)
{
	const struct s2s_config *c = s->s2s->config;
	struct xml_limits limits = { (size_t)(s2s_any_proved(s) || s->outbound ? c->stanza_bytes : c->early_stanza_bytes),
		                     (size_t)c->attributes, (size_t)c->depth, (size_t)c->elements, (size_t)c->name_bytes };

	xml_stream_set_limits(s->xml, &limits);
	conn_set_rate(s->conn, (uint32_t)c->read_rate, (uint32_t)c->read_burst);
}

static struct s2s_stream *make(struct s2s *s2s)
{
	struct s2s_stream *s = mem_new(struct s2s_stream);

	s->s2s = s2s;
	s->refs = 1;
	s->id = random_u64();
	s->log = (struct log_ctx){ .parent = s2s->log, .key = "stream", .number = s->id };
	s->wrote_ms = s->since_ms = net_now(s2s->net);
	s->early_until_ms = s->since_ms + (uint64_t)s2s->config->early_ms;
	wheel_timer_init(&s->timer, on_timer);
	net_task_init(&s->flush, on_flush);
	list_init(&s->node);
	return s;
}

static void begin(struct s2s_stream *s)
{
	struct s2s *s2s = s->s2s;

	list_push_back(&s2s->streams, &s->node);
	s2s->stream_count++;
	net_timer_set(s2s->net, &s->timer, LOOK_MS);
	conn_set_dead_after(s->conn, (uint32_t)s2s->config->dead_after_ms);
	s->xml = s2s_parser_new(s);
	s2s_stream_limits(s);
	s2s_gate(s2s);
}

void s2s_stream_in(struct s2s *s2s, int fd, const struct net_addr *peer, bool direct_tls)
{
	struct s2s_stream *s = make(s2s);

	s->direct_tls = direct_tls;
	s->state = S2S_IN_CONNECTED;
	s->conn = conn_accept(s2s->net, fd, peer, &s2s_conn_events, s);
	if (!s->conn) {
		mem_free(s);
		return;
	}
	metric_inc(&s2s_metrics.accepted);
	begin(s);
	if (direct_tls)
		s2s_tls_server(s, (struct str){ 0 }, "xmpp-server");
}

struct s2s_stream *s2s_stream_out(struct s2s_link *l, int fd, const struct net_addr *peer, bool direct_tls)
{
	struct s2s_stream *s = make(l->s2s);

	s->outbound = true;
	s->direct_tls = direct_tls;
	s->state = S2S_OUT_HEADER;
	s->conn = conn_accept(l->s2s->net, fd, peer, &s2s_conn_events, s);
	if (!s->conn) {
		mem_free(s);
		return NULL;
	}
	s->link = l;
	s->local = mem_strdup(l->local);
	s->remote = mem_strdup(l->remote);
	s->log.parent = &l->log;
	metric_inc(&s2s_metrics.connected);
	begin(s);
	if (direct_tls)
		s2s_tls_client(s, "xmpp-server");
	else
		s2s_header_send(s);
	return s;
}

struct s2s_stream *s2s_stream_ref(struct s2s_stream *s)
{
	s->refs++;
	return s;
}

void s2s_stream_unref(struct s2s_stream *s)
{
	if (--s->refs > 0)
		return;
	s2s_pairs_fini(s);
	mem_free(s->window.bits);
	mem_free(s->local);
	mem_free(s->remote);
	mem_free(s->stream_id);
	mem_free(s);
}

/* The one place where a stream's state changes. */
void s2s_stream_set_state(struct s2s_stream *s, enum s2s_state state)
{
	log_debug(&s->log, "%s to %s", s2s_state_name((enum s2s_state)s->state), s2s_state_name(state));
	s->state = (uint8_t)state;
	s->since_ms = net_now(s->s2s->net);
}

void s2s_stream_hold(struct s2s_stream *s, enum s2s_hold why, bool on)
{
	uint32_t before = s->holds;

	s->holds = on ? before | why : before & ~(uint32_t)why;
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
void s2s_stream_restart(struct s2s_stream *s)
{
	xml_stream_reset(s->xml);
	s->header_sent = false;
	if (s2s_any_proved(s)) /* compression: maybe long after it was made */
		s->early_until_ms = net_now(s->s2s->net) + (uint64_t)s->s2s->config->early_ms;
	s2s_stream_set_state(s, s->outbound ? S2S_OUT_HEADER : S2S_IN_CONNECTED);
	if (s->outbound)
		s2s_header_send(s);
}
