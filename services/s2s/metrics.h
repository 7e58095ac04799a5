/* SPDX-License-Identifier: Apache-2.0 */
#ifndef S2S_METRICS_H
#define S2S_METRICS_H

#include "common/daemon/metrics.h"

struct s2s;

struct s2s_metrics {
	struct metric accepted, connected, failed, streams, links, open, memory;
	struct metric tls_ok, tls_failed;
	struct metric proved_certificate, proved_dialback, external_failed, dialback_failed;
	struct metric stanzas_in, stanzas_out, refused, taken, acked, spooled, bounced;
	struct metric errors_sent, errors_got, bad_xml;
};

extern struct s2s_metrics s2s_metrics;
void s2s_metrics_register(struct s2s *s2s);

#endif
