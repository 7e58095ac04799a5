/* SPDX-License-Identifier: Apache-2.0
 *
 * starttls: RFC 6120 section 5 at both ends, and direct TLS (XEP-0368); then the look at the other server's certificate. */
#include "services/s2s/s2s.h"

#include <stdio.h>

#include "common/net/tls_peer.h"

void s2s_tls_server(struct s2s_stream *s, struct str host, const char *alpn)
{
	s2s_stream_set_state(s, S2S_TLS);
	s->layered = true;
	if (conn_start_tls(s->conn, s->s2s->tls, host, alpn) < 0)
		s2s_end(s, "internal-server-error", "");
}

void s2s_tls_client(struct s2s_stream *s, const char *alpn)
{
	s2s_stream_set_state(s, S2S_TLS);
	s->layered = true;
	if (conn_start_tls_client(s->conn, s->s2s->tls_client, str_from(s->remote), str_from(s->local), alpn) < 0)
		s2s_finish(s, "TLS cannot begin");
}

void s2s_starttls(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)in;
	if (conn_tls(s->conn) || s->pairs) {
		buf_append_cstr(s2s_out(s), "<failure xmlns='" S2S_NS_TLS "'/>");
		s2s_finish(s, "starttls where it was not offered");
		return;
	}
	buf_append_cstr(s2s_out(s), "<proceed xmlns='" S2S_NS_TLS "'/>");
	s2s_tls_server(s, str_from(s->local ? s->local : ""), NULL);
}

void s2s_proceed(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)in;
	s2s_tls_client(s, NULL);
}

void s2s_look_at_certificate(struct s2s_stream *s)
{
	SSL *ssl = conn_tls(s->conn);
	enum tls_peer v;

	s->certificate_valid = false;
	if (!ssl || !s->remote)
		return;
	v = tls_peer_verdict(ssl, s->s2s->trust, s->remote, !s->outbound, s->why, sizeof(s->why));
	s->certificate_valid = v == TLS_PEER_VALID;
	if (v != TLS_PEER_VALID && v != TLS_PEER_NONE)
		log_info(&s->log, "certificate of %s is not valid: %s", s->remote, s->why);
}

bool s2s_certified_for(struct s2s_stream *s, const char *domain)
{
	char why[120];
	SSL *ssl = conn_tls(s->conn);

	return ssl && tls_peer_verdict(ssl, s->s2s->trust, domain, !s->outbound, why, sizeof(why)) == TLS_PEER_VALID;
}

void s2s_secured(struct s2s_stream *s, const struct s2s_input *in)
{
	SSL *ssl = conn_tls(s->conn);

	(void)in;
	log_debug(&s->log, "%s %s", SSL_get_version(ssl), SSL_get_cipher_name(ssl));
	/* An inbound stream has said who it is, or says it in its next header. */
	if (s->outbound)
		s2s_look_at_certificate(s);
	s2s_stream_restart(s);
}
