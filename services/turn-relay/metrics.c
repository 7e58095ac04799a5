/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/metrics.h"

#include "services/turn-relay/turn.h"

struct source {
	struct turn *turn;
	enum counter which;
};

static struct source sources[COUNTERS];

#define COUNT(counter, metric_name, metric_labels, metric_help)                                                                            \
	[counter] = { .name = metric_name, .labels = metric_labels, .help = metric_help, .type = METRIC_COUNTER }
#define DROPPED "starling_turn_dropped_total"
#define REFUSED "starling_turn_refused_total"

static struct metric metrics[COUNTERS] = {
	[COUNT_ALLOCATIONS] = { .name = "starling_turn_allocations", .help = "Allocations now", .type = METRIC_GAUGE },
	[COUNT_STREAMS] = { .name = "starling_turn_connections",
	                    .help = "TCP connections and DTLS sessions of clients now",
	                    .type = METRIC_GAUGE },
	[COUNT_PAIRS] = { .name = "starling_turn_peer_connections",
	                  .help = "TCP connections to peers that clients use now",
	                  .type = METRIC_GAUGE },
	COUNT(COUNT_ALLOCATED, "starling_turn_allocations_total", NULL, "Allocations made"),
	COUNT(COUNT_MOVED, "starling_turn_moves_total", NULL, "Allocations that have followed their clients to another address"),
	COUNT(COUNT_BINDINGS, "starling_turn_bindings_total", NULL, "Binding requests answered"),
	COUNT(COUNT_BYTES_IN, "starling_turn_bytes_total", "direction=\"to_peer\"", "Application data relayed"),
	COUNT(COUNT_BYTES_OUT, "starling_turn_bytes_total", "direction=\"to_client\"", "Application data relayed"),
	COUNT(COUNT_PACKETS_IN, "starling_turn_packets_total", "direction=\"to_peer\"", "Datagrams relayed"),
	COUNT(COUNT_PACKETS_OUT, "starling_turn_packets_total", "direction=\"to_client\"", "Datagrams relayed"),
	COUNT(COUNT_DROP_PERMISSION, DROPPED, "reason=\"permission\"", "Datagrams not relayed"),
	COUNT(COUNT_DROP_RATE, DROPPED, "reason=\"rate\"", "Datagrams not relayed"),
	COUNT(COUNT_DROP_QUEUE, DROPPED, "reason=\"queue\"", "Datagrams not relayed"),
	COUNT(COUNT_DROP_SOCKET, DROPPED, "reason=\"socket\"", "Datagrams not relayed"),
	COUNT(COUNT_DROP_BAD, DROPPED, "reason=\"bad\"", "Datagrams not relayed"),
	COUNT(COUNT_REFUSED_PEER, REFUSED, "reason=\"peer\"", "Requests and Send indications refused"),
	COUNT(COUNT_REFUSED_QUOTA, REFUSED, "reason=\"quota\"", "Requests and Send indications refused"),
	COUNT(COUNT_REFUSED_CAPACITY, REFUSED, "reason=\"capacity\"", "Requests and Send indications refused"),
	COUNT(COUNT_REFUSED_REQUEST, REFUSED, "reason=\"request\"", "Requests and Send indications refused"),
	COUNT(COUNT_CHALLENGED, "starling_turn_challenges_total", "code=\"401\"",
	      "Requests without credentials, or with a nonce that is no good"),
	COUNT(COUNT_STALE, "starling_turn_challenges_total", "code=\"438\"",
	      "Requests without credentials, or with a nonce that is no good"),
	COUNT(COUNT_WRONG, "starling_turn_wrong_credentials_total", "result=\"answered\"", "Requests with wrong credentials"),
	COUNT(COUNT_CAPPED, "starling_turn_wrong_credentials_total", "result=\"capped\"", "Requests with wrong credentials"),
	COUNT(COUNT_UNANSWERED, "starling_turn_unanswered_total", NULL, "Requests of strangers over the limit, not answered"),
};

static double read_total(void *ctx)
{
	const struct source *s = ctx;

	return (double)turn_total(s->turn, s->which);
}

void turn_metrics_register(struct turn *t)
{
	for (int i = 0; i < COUNTERS; i++) {
		sources[i] = (struct source){ t, (enum counter)i };
		metrics[i].read = read_total;
		metrics[i].ctx = &sources[i];
		metrics_register(&metrics[i]);
	}
}
