/* SPDX-License-Identifier: Apache-2.0
 *
 * features: what is offered at which point of the negotiation, in the order of XEP-0170; and the mechanisms, which auth names. */
#include "services/c2s-edge/sm.h"

#include "common/base/mem.h"
#include "ipc/gen/auth.client.h"

#define MECHANISMS_FRESH_MS 60000u /* then they are asked for again, while the old ones serve */
#define RETRY_MS            500u

struct mechanisms_call {
	struct c2s_edge *edge;
	struct c2s_mechanisms *into;
	struct c2s_stream *stream; /* waits for them; NULL: a refresh */
};

uint32_t c2s_channel_of(const struct c2s_stream *s)
{
	SSL *ssl = conn_tls(s->conn);
	uint8_t data[TLS_BINDING_MAX];

	if (!ssl)
		return 0;
	return (uint32_t)(C2S_CHANNEL_TLS | (tls_exporter(ssl, data) ? C2S_CHANNEL_EXPORTER : 0) |
	                  (tls_server_end_point(ssl, data) ? C2S_CHANNEL_END_POINT : 0));
}

const struct c2s_mechanisms *c2s_mechanisms_of(const struct c2s_stream *s)
{
	return &s->host->mechanisms[c2s_channel_of(s)];
}

bool c2s_mechanism_offered(const struct c2s_mechanisms *m, struct str name)
{
	for (uint32_t i = 0; i < m->count; i++) {
		if (str_is(name, m->names[i]))
			return true;
	}
	return false;
}

static void clear(struct c2s_mechanisms *m)
{
	for (uint32_t i = 0; i < m->count; i++)
		mem_free(m->names[i]);
	mem_free(m->names);
	m->names = NULL;
	m->count = 0;
}

void c2s_mechanisms_fini(struct c2s_host *host)
{
	for (uint32_t i = 0; i < C2S_MECHANISM_KEYS; i++)
		clear(&host->mechanisms[i]);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* XEP-0440. */
static void write_bindings(struct buf *out, uint32_t channel)
{
	if (!(channel & (C2S_CHANNEL_EXPORTER | C2S_CHANNEL_END_POINT)))
		return;
	buf_append_cstr(out, "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>");
	if (channel & C2S_CHANNEL_EXPORTER)
		buf_append_cstr(out, "<channel-binding type='tls-exporter'/>");
	if (channel & C2S_CHANNEL_END_POINT)
		buf_append_cstr(out, "<channel-binding type='tls-server-end-point'/>");
	buf_append_cstr(out, "</sasl-channel-binding>");
}

static void write_login(struct c2s_stream *s)
{
	const struct c2s_config *config = s->edge->config;
	struct buf *out = c2s_out(s);
	uint32_t channel = c2s_channel_of(s);

	buf_append_cstr(out, "<stream:features>");
	if (!channel)
		buf_append_cstr(out, config->require_tls ? "<starttls xmlns='" C2S_NS_TLS "'><required/></starttls>"
		                                         : "<starttls xmlns='" C2S_NS_TLS "'/>");
	if (channel || !config->require_tls) {
		const struct c2s_mechanisms *m = &s->host->mechanisms[channel];

		buf_append_cstr(out, "<mechanisms xmlns='" C2S_NS_SASL "'>");
		for (uint32_t i = 0; i < m->count; i++) {
			buf_append_cstr(out, "<mechanism>");
			xml_escape(out, str_from(m->names[i]));
			buf_append_cstr(out, "</mechanism>");
		}
		buf_append_cstr(out, "</mechanisms>");
		write_bindings(out, channel);
		if (m->registration)
			buf_append_cstr(out, "<register xmlns='http://jabber.org/features/iq-register'/>");
	}
	buf_append_cstr(out, "</stream:features>");
	c2s_stream_set_state(s, C2S_HEADER);
}

static void write_bind(struct c2s_stream *s)
{
	struct buf *out = c2s_out(s);

	buf_append_cstr(out, "<stream:features>");
	if (s->edge->config->compression && !conn_compressed(s->conn))
		buf_append_cstr(out, "<compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>");
	buf_append_cstr(out, "<bind xmlns='" C2S_NS_BIND "'/>"
	                     "<session xmlns='" C2S_NS_SESSION "'><optional/></session>"
	                     "<ver xmlns='urn:xmpp:features:rosterver'/>"
	                     "<sub xmlns='urn:xmpp:features:pre-approval'/>");
	if (s->edge->config->sm_enabled)
		buf_append_cstr(out, "<sm xmlns='" C2S_NS_SM "'/>");
	buf_append_cstr(out, "</stream:features>");
	c2s_stream_set_state(s, C2S_BIND);
}

/* --- asking auth -------------------------------------------------------------------------------------------------- */

static void ask(struct c2s_stream *s, struct c2s_stream *waiting);

static void ask_again(struct c2s_stream *s)
{
	if (s->state == C2S_ASKING)
		ask(s, s);
}

static void store(struct c2s_mechanisms *m, const Starling__MechanismsReply *reply, uint64_t now_ms)
{
	clear(m);
	m->names = mem_zalloc((reply->n_mechanisms + 1) * sizeof(char *));
	for (size_t i = 0; i < reply->n_mechanisms; i++)
		m->names[m->count++] = mem_strdup(reply->mechanisms[i]);
	m->registration = reply->registration;
	m->fetched_ms = now_ms ? now_ms : 1;
}

static void on_mechanisms(const struct ipc_result *result, const Starling__MechanismsReply *reply, void *ctx)
{
	struct mechanisms_call call = *(struct mechanisms_call *)ctx;
	struct c2s_stream *s = call.stream;

	mem_free(ctx);
	if (ipc_ok(result))
		store(call.into, reply, net_now(call.edge->net));
	if (!s)
		return;
	if (s->state == C2S_ASKING && call.into->fetched_ms) {
		write_login(s);
		c2s_stream_hold(s, C2S_HOLD_CALL, false);
	} else if (s->state == C2S_ASKING && c2s_limits_waited(s)) {
		c2s_end(s, "internal-server-error", "logins are not possible now, try again later");
	} else if (s->state == C2S_ASKING) {
		c2s_limits_retry(s, RETRY_MS, ask_again);
	}
	c2s_stream_unref(s);
}

static void ask(struct c2s_stream *s, struct c2s_stream *waiting)
{
	Starling__MechanismsRequest request = STARLING__MECHANISMS_REQUEST__INIT;
	struct mechanisms_call *call = mem_new(struct mechanisms_call);
	struct ipc_opts opts = { 0 };
	uint32_t channel = c2s_channel_of(s);
	char *bindings[2];

	call->edge = s->edge;
	call->into = &s->host->mechanisms[channel];
	call->stream = waiting ? c2s_stream_ref(waiting) : NULL;
	if (channel & C2S_CHANNEL_EXPORTER)
		bindings[request.n_channel_bindings++] = (char *)"tls-exporter";
	if (channel & C2S_CHANNEL_END_POINT)
		bindings[request.n_channel_bindings++] = (char *)"tls-server-end-point";
	request.channel_bindings = bindings;
	request.host = (char *)s->host->name.p;
	request.encrypted = channel != 0;
	call_auth_mechanisms(s->edge->bus, ipc_any("auth"), &opts, &request, on_mechanisms, call);
}

void c2s_features(struct c2s_stream *s)
{
	const struct c2s_mechanisms *m = c2s_mechanisms_of(s);
	uint64_t now = net_now(s->edge->net);

	if (s->login->account) {
		write_bind(s);
		return;
	}
	if (s->edge->config->require_tls && !conn_tls(s->conn)) {
		write_login(s);
		return;
	}
	if (m->fetched_ms == 0) {
		c2s_stream_set_state(s, C2S_ASKING);
		c2s_stream_hold(s, C2S_HOLD_CALL, true);
		s->login->started_ms = now;
		ask(s, s);
		return;
	}
	if (now - m->fetched_ms > MECHANISMS_FRESH_MS) {
		/* One asks, the others see it as fresh meanwhile. */
		s->host->mechanisms[c2s_channel_of(s)].fetched_ms = now;
		ask(s, NULL);
	}
	write_login(s);
}
