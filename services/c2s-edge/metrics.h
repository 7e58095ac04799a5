/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics: what this daemon counts. */
#ifndef C2S_EDGE_METRICS_H
#define C2S_EDGE_METRICS_H

#include "common/daemon/metrics.h"

struct c2s_edge;

struct c2s_metrics {
	struct metric accepted, refused_rate, refused_address, refused_logins, refused_proxy;
	struct metric connections, sessions, lingering;
	struct metric tls_ok, tls_failed;
	struct metric sasl_ok, sasl_failed, sasl_unavailable;
	struct metric bound, bind_failed, waiting;
	struct metric sm_enabled, sm_failed, resumed, resume_failed, unanswered;
	struct metric stanzas_in, stanzas_out, stanzas_refused;
	struct metric bytes_in, bytes_out;
	struct metric stream_errors, stream_errors_policy, stream_errors_xml;
	struct metric window_full, attaches, resubmitted, not_owner;
	struct metric deliveries_written, deliveries_acked, deliveries_dropped, returned, returned_lost, slow_clients;
	struct metric registered;
};

extern struct c2s_metrics c2s_metrics;
void c2s_metrics_register(struct c2s_edge *edge);

#endif
