/* SPDX-License-Identifier: Apache-2.0 */
#include "services/c2s-edge/metrics.h"

#include "services/c2s-edge/c2s.h"

#define COUNT(metric_name, metric_labels, metric_help)                                                                                     \
	{                                                                                                                                  \
		.name = metric_name, .labels = metric_labels, .help = metric_help, .type = METRIC_COUNTER                                  \
	}
#define GAUGE(metric_name, metric_help)                                                                                                    \
	{                                                                                                                                  \
		.name = metric_name, .help = metric_help, .type = METRIC_GAUGE                                                             \
	}

struct c2s_metrics c2s_metrics = {
	.accepted = COUNT("starling_c2s_accepted_total", NULL, "Connections accepted"),
	.refused_rate = COUNT("starling_c2s_refused_total", "reason=\"rate\"", "Connections closed at once"),
	.refused_address = COUNT("starling_c2s_refused_total", "reason=\"address\"", "Connections closed at once"),
	.refused_logins = COUNT("starling_c2s_refused_total", "reason=\"logins\"", "Connections closed at once"),
	.refused_proxy = COUNT("starling_c2s_refused_total", "reason=\"proxy\"", "Connections closed at once"),
	.connections = GAUGE("starling_c2s_connections", "Client connections now"),
	.sessions = GAUGE("starling_c2s_sessions", "Sessions now, those included whose end the owner has not confirmed"),
	.lingering = GAUGE("starling_c2s_sessions_lingering", "Sessions whose client is gone"),
	.tls_ok = COUNT("starling_c2s_tls_handshakes_total", "result=\"ok\"", "TLS handshakes"),
	.tls_failed = COUNT("starling_c2s_tls_handshakes_total", "result=\"failed\"", "TLS handshakes"),
	.sasl_ok = COUNT("starling_c2s_logins_total", "result=\"ok\"", "SASL exchanges ended"),
	.sasl_failed = COUNT("starling_c2s_logins_total", "result=\"failed\"", "SASL exchanges ended"),
	.sasl_unavailable = COUNT("starling_c2s_logins_total", "result=\"unavailable\"", "SASL exchanges ended"),
	.bound = COUNT("starling_c2s_binds_total", "result=\"ok\"", "Resource bindings"),
	.bind_failed = COUNT("starling_c2s_binds_total", "result=\"failed\"", "Resource bindings"),
	.waiting = GAUGE("starling_c2s_logins_waiting", "Logins in line (limits.login_rate, or auth busy)"),
	.sm_enabled = COUNT("starling_c2s_sm_total", "result=\"enabled\"", "Stream management asked for"),
	.sm_failed = COUNT("starling_c2s_sm_total", "result=\"failed\"", "Stream management asked for"),
	.resumed = COUNT("starling_c2s_resumes_total", "result=\"ok\"", "Resumptions asked for"),
	.resume_failed = COUNT("starling_c2s_resumes_total", "result=\"failed\"", "Resumptions asked for"),
	.unanswered = COUNT("starling_c2s_unanswered_total", NULL, "Clients that did not answer a request for acknowledgement"),
	.stanzas_in = COUNT("starling_c2s_stanzas_total", "direction=\"in\"", "Stanzas from and to clients"),
	.stanzas_out = COUNT("starling_c2s_stanzas_total", "direction=\"out\"", "Stanzas from and to clients"),
	.stanzas_refused = COUNT("starling_c2s_stanzas_refused_total", NULL, "Stanzas answered with an error by the edge itself"),
	.bytes_in = COUNT("starling_c2s_bytes_total", "direction=\"in\"", "Bytes of ended connections, below TLS not counted"),
	.bytes_out = COUNT("starling_c2s_bytes_total", "direction=\"out\"", "Bytes of ended connections, below TLS not counted"),
	.stream_errors = COUNT("starling_c2s_stream_errors_total", "kind=\"other\"", "Stream errors sent"),
	.stream_errors_policy = COUNT("starling_c2s_stream_errors_total", "kind=\"policy\"", "Stream errors sent"),
	.stream_errors_xml = COUNT("starling_c2s_stream_errors_total", "kind=\"xml\"", "Stream errors sent"),
	.window_full = COUNT("starling_c2s_window_full_total", NULL, "Times a client was read no further because its window was full"),
	.attaches = COUNT("starling_c2s_attaches_total", NULL, "Sessions attached to another owner"),
	.resubmitted = COUNT("starling_c2s_resubmitted_total", NULL, "Stanzas sent again after an attach"),
	.not_owner = COUNT("starling_c2s_not_owner_total", NULL, "Times an owner asked for an attach"),
	.deliveries_written = COUNT("starling_c2s_written_total", NULL, "Deliveries confirmed"),
	.deliveries_acked = COUNT("starling_c2s_acked_total", NULL, "Deliveries that the client acknowledged, or its socket took"),
	.deliveries_dropped = COUNT("starling_c2s_dropped_total", NULL, "Deliveries not passed on, which the owner sends again"),
	.returned = COUNT("starling_c2s_returned_total", NULL, "Deliveries sent back because their stream is gone"),
	.returned_lost = COUNT("starling_c2s_returned_lost_total", NULL, "Such deliveries for which there was no owner to take them"),
	.slow_clients = COUNT("starling_c2s_slow_clients_total", NULL, "Streams ended because the client read too slowly"),
	.registered = COUNT("starling_c2s_registrations_total", NULL, "Accounts made by clients"),
};

static double read_connections(void *ctx)
{
	return ((const struct c2s_edge *)ctx)->stream_count;
}

static double read_sessions(void *ctx)
{
	return ((const struct c2s_edge *)ctx)->sessions.count;
}

/* The struct holds nothing but metrics, in the order in which they are to be written. */
void c2s_metrics_register(struct c2s_edge *edge)
{
	struct metric *m = (struct metric *)&c2s_metrics;

	c2s_metrics.connections.read = read_connections;
	c2s_metrics.connections.ctx = edge;
	c2s_metrics.sessions.read = read_sessions;
	c2s_metrics.sessions.ctx = edge;
	for (size_t i = 0; i < sizeof(c2s_metrics) / sizeof(*m); i++)
		metrics_register(&m[i]);
}
