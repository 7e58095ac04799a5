/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/counters.h"

#include <stddef.h>

#include "services/session-manager/ownership.h"
#include "services/session-manager/sm.h"

static double read_sessions(void *ctx)
{
	return (double)((struct sm *)ctx)->streams.count;
}

static double read_accounts(void *ctx)
{
	return (double)((struct sm *)ctx)->accounts.count;
}

static double read_slots(void *ctx)
{
	return ownership_count(ctx);
}

static double read_pending(void *ctx)
{
	return ((struct sm *)ctx)->pending;
}

static double read_pending_bytes(void *ctx)
{
	return (double)((struct sm *)ctx)->pending_bytes;
}

#define COUNTER(n, h)                                                                                                                      \
	{                                                                                                                                  \
		.name = "starling_sm_" n "_total", .help = h, .type = METRIC_COUNTER                                                       \
	}
#define GAUGE(n, h, fn)                                                                                                                    \
	{                                                                                                                                  \
		.name = "starling_sm_" n, .help = h, .type = METRIC_GAUGE, .read = fn                                                      \
	}
#define STANZAS(k)                                                                                                                         \
	{                                                                                                                                  \
		.name = "starling_sm_stanzas_total", .help = "Stanzas taken from clients", .type = METRIC_COUNTER,                         \
		.labels = "kind=\"" k "\""                                                                                                 \
	}

struct counters counters = {
	.stanzas = { STANZAS("none"), STANZAS("message"), STANZAS("presence"), STANZAS("iq") },
	.routed_out = COUNTER("routed_out", "Stanzas passed on to another owner or domain"),
	.routed_in = COUNTER("routed_in", "Stanzas that came from another owner or domain"),
	.deliveries = COUNTER("deliveries", "Stanzas given to edges, counted once a session"),
	.offline_stored = COUNTER("offline_stored", "Messages kept for users who were away"),
	.offline_delivered = COUNTER("offline_delivered", "Kept messages that were delivered and confirmed"),
	.bounces = COUNTER("bounces", "Stanza errors sent back"),
	.dropped = COUNTER("dropped", "Stanzas that the rules say to ignore"),
	.opened = COUNTER("sessions_opened", "Resources bound"),
	.attached = COUNTER("sessions_attached", "Sessions taken over from another owner or after a gap"),
	.closed = COUNTER("sessions_closed", "Sessions that ended"),
	.parked = COUNTER("sessions_parked", "Sessions whose client went away and may resume"),
	.resumed = COUNTER("sessions_resumed", "Sessions resumed at some edge (XEP-0198)"),
	.conflicts = COUNTER("sessions_replaced", "Sessions ended because another took their resource"),
	.sessions = GAUGE("sessions", "Sessions in this instance's slots", read_sessions),
	.accounts = GAUGE("accounts", "Accounts in memory", read_accounts),
	.slots = GAUGE("slots", "Slots served", read_slots),
	.pending = GAUGE("pending", "Stanzas waiting for the store, Redis or another owner", read_pending),
	.pending_bytes = GAUGE("pending_bytes", "Bytes of the stanzas that wait", read_pending_bytes),
};

static struct metric *const gauges[] = { &counters.sessions, &counters.accounts, &counters.slots, &counters.pending,
	                                 &counters.pending_bytes };
static struct metric *const totals[] = {
	&counters.routed_out, &counters.routed_in, &counters.deliveries, &counters.offline_stored, &counters.offline_delivered,
	&counters.bounces,    &counters.dropped,   &counters.opened,     &counters.attached,       &counters.closed,
	&counters.conflicts,  &counters.parked,    &counters.resumed,
};

void counters_register(struct sm *sm)
{
	for (size_t i = 1; i < 4; i++)
		metrics_register(&counters.stanzas[i]);
	for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++)
		metrics_register(totals[i]);
	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
		gauges[i]->ctx = sm;
		metrics_register(gauges[i]);
	}
}

double counters_work(void)
{
	return counters.stanzas[1].value + counters.stanzas[2].value + counters.stanzas[3].value + counters.routed_in.value;
}
