/* SPDX-License-Identifier: Apache-2.0 */
#include "services/s2s/metrics.h"

#include "services/s2s/s2s.h"

#define COUNT(metric_name, metric_labels, metric_help)                                                                                     \
	{                                                                                                                                  \
		.name = metric_name, .labels = metric_labels, .help = metric_help, .type = METRIC_COUNTER                                  \
	}
#define GAUGE(metric_name, metric_help)                                                                                                    \
	{                                                                                                                                  \
		.name = metric_name, .help = metric_help, .type = METRIC_GAUGE                                                             \
	}

struct s2s_metrics s2s_metrics = {
	.accepted = COUNT("starling_s2s_connections_total", "direction=\"in\"", "Connections of other servers"),
	.connected = COUNT("starling_s2s_connections_total", "direction=\"out\"", "Connections of other servers"),
	.failed = COUNT("starling_s2s_attempts_failed_total", NULL, "Times that a server could not be reached, or did not agree"),
	.streams = GAUGE("starling_s2s_streams", "Streams now"),
	.links = GAUGE("starling_s2s_links", "Pairs of domains with something to do"),
	.open = GAUGE("starling_s2s_links_open", "Of them with a stream that is ready"),
	.memory = GAUGE("starling_s2s_memory_bytes", "Stanzas for other servers in memory"),
	.tls_ok = COUNT("starling_s2s_tls_handshakes_total", "result=\"ok\"", "TLS handshakes"),
	.tls_failed = COUNT("starling_s2s_tls_handshakes_total", "result=\"failed\"", "TLS handshakes"),
	.proved_certificate = COUNT("starling_s2s_proofs_total", "result=\"certificate\"", "Domains that streams were to prove"),
	.proved_dialback = COUNT("starling_s2s_proofs_total", "result=\"dialback\"", "Domains that streams were to prove"),
	.external_failed = COUNT("starling_s2s_proofs_total", "result=\"external_failed\"", "Domains that streams were to prove"),
	.dialback_failed = COUNT("starling_s2s_proofs_total", "result=\"dialback_failed\"", "Domains that streams were to prove"),
	.stanzas_in = COUNT("starling_s2s_stanzas_total", "direction=\"in\"", "Stanzas from and to other servers"),
	.stanzas_out = COUNT("starling_s2s_stanzas_total", "direction=\"out\"", "Stanzas from and to other servers"),
	.refused = COUNT("starling_s2s_refused_total", NULL, "Stanzas for domains that their stream had not proved, and the like"),
	.taken = COUNT("starling_s2s_taken_total", NULL, "Stanzas taken for other servers"),
	.acked = COUNT("starling_s2s_acked_total", NULL, "Stanzas that other servers have acknowledged"),
	.spooled = COUNT("starling_s2s_spooled_total", NULL, "Stanzas that went into the store"),
	.bounced = COUNT("starling_s2s_bounced_total", NULL, "Stanzas that went back as errors"),
	.errors_sent = COUNT("starling_s2s_stream_errors_total", "direction=\"out\"", "Stream errors"),
	.errors_got = COUNT("starling_s2s_stream_errors_total", "direction=\"in\"", "Stream errors"),
	.bad_xml = COUNT("starling_s2s_bad_xml_total", NULL, "Streams ended for what could not be parsed"),
};

static double read_streams(void *ctx)
{
	return ((const struct s2s *)ctx)->stream_count;
}

static double read_links(void *ctx)
{
	return ((const struct s2s *)ctx)->link_count;
}

static double read_open(void *ctx)
{
	const struct s2s *s2s = ctx;
	double n = 0;

	list_for_each (node, &s2s->links)
		n += list_entry(node, struct s2s_link, node)->state == S2S_LINK_OPEN;
	return n;
}

static double read_memory(void *ctx)
{
	return (double)((const struct s2s *)ctx)->bytes;
}

/* The struct holds nothing but metrics, in the order in which they are to be written. */
void s2s_metrics_register(struct s2s *s2s)
{
	struct metric *m = (struct metric *)&s2s_metrics;

	s2s_metrics.streams.read = read_streams;
	s2s_metrics.links.read = read_links;
	s2s_metrics.open.read = read_open;
	s2s_metrics.memory.read = read_memory;
	s2s_metrics.streams.ctx = s2s_metrics.links.ctx = s2s_metrics.open.ctx = s2s_metrics.memory.ctx = s2s;
	for (size_t i = 0; i < sizeof(s2s_metrics) / sizeof(*m); i++)
		metrics_register(&m[i]);
}
