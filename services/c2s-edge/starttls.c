/* SPDX-License-Identifier: Apache-2.0
 *
 * starttls: RFC 6120 section 5, and direct TLS (XEP-0368), which differs in having no stream before it. */
#include "services/c2s-edge/c2s.h"

static void proceed(struct c2s_stream *s)
{
	buf_append_cstr(c2s_out(s), "<proceed xmlns='" C2S_NS_TLS "'/>");
	/* Whatever came in clear behind the request is refused by the connection: CONN_END_LAYER. */
	if (conn_start_tls(s->conn, s->edge->tls, s->host->name, NULL) < 0) {
		log_info(&s->log, "TLS cannot begin");
		c2s_end(s, "internal-server-error", "");
	}
	c2s_stream_hold(s, C2S_HOLD_CALL, false);
}

/* Many at once go by turns. */
void c2s_starttls(struct c2s_stream *s, const struct c2s_input *in)
{
	if (conn_tls(s->conn)) {
		c2s_starttls_refuse(s, in);
		return;
	}
	c2s_stream_set_state(s, C2S_TLS);
	s->layered = true;
	c2s_gate_enter(&s->edge->tls_gate, s, proceed);
	if (s->login && !list_unlinked(&s->login->waiting))
		c2s_stream_hold(s, C2S_HOLD_CALL, true);
}

/* Section 5.4.2.2: the failure case ends the stream. */
void c2s_starttls_refuse(struct c2s_stream *s, const struct c2s_input *in)
{
	(void)in;
	buf_append_cstr(c2s_out(s), "<failure xmlns='" C2S_NS_TLS "'/>");
	c2s_finish(s, STARLING__CLOSE_REASON__CLOSE_ERROR);
}

void c2s_secured(struct c2s_stream *s, const struct c2s_input *in)
{
	SSL *ssl = conn_tls(s->conn);

	(void)in;
	log_debug(&s->log, "%s %s", SSL_get_version(ssl), SSL_get_cipher_name(ssl));
	c2s_stream_restart(s);
}
