/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/store_metrics.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const double seconds_bounds[] = { 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5 };
static const double batch_bounds[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024 };
static uint64_t commit_counts[COUNT(seconds_bounds) + 1], read_counts[COUNT(seconds_bounds) + 1], batch_counts[COUNT(batch_bounds) + 1];

#define COUNTER(id, n, l, h) struct metric id = { .name = n, .help = h, .type = METRIC_COUNTER, .labels = l }
#define GAUGE(id, n, h)      struct metric id = { .name = n, .help = h, .type = METRIC_GAUGE }
#define HISTOGRAM(id, n, h, b, c)                                                                                                          \
	struct metric id = { .name = n, .help = h, .type = METRIC_HISTOGRAM, .bounds = b, .bound_count = COUNT(b), .counts = c }

#define OPERATIONS "starling_storage_operations_total"
#define REFUSED    "starling_storage_refused_total"
#define ERRORS     "starling_storage_errors_total"

COUNTER(metric_reads, OPERATIONS, "kind=\"read\"", "Operations that PostgreSQL has answered");
COUNTER(metric_writes, OPERATIONS, "kind=\"write\"", "Operations that PostgreSQL has answered");
COUNTER(metric_batches, "starling_storage_batches_total", NULL, "Transactions that carried writes");
COUNTER(metric_batches_split, "starling_storage_batches_split_total", NULL, "Batches rolled back and run again write by write");
HISTOGRAM(metric_batch_writes, "starling_storage_batch_writes", "Writes in one transaction", batch_bounds, batch_counts);
HISTOGRAM(metric_commit_seconds, "starling_storage_commit_seconds", "From sending a batch to its commit", seconds_bounds, commit_counts);
HISTOGRAM(metric_read_seconds, "starling_storage_read_seconds", "From accepting a read to its answer", seconds_bounds, read_counts);
COUNTER(metric_refused_away, REFUSED, "reason=\"away\"", "Operations refused before they reached PostgreSQL");
COUNTER(metric_refused_full, REFUSED, "reason=\"full\"", "Operations refused before they reached PostgreSQL");
COUNTER(metric_expired, REFUSED, "reason=\"deadline\"", "Operations refused before they reached PostgreSQL");
COUNTER(metric_unconfirmed, "starling_storage_unconfirmed_total", NULL, "Operations whose connection broke before the answer");
GAUGE(metric_connections_up, "starling_storage_connections", "Usable connections to PostgreSQL");
COUNTER(metric_losses, "starling_storage_connection_losses_total", NULL, "Connections to PostgreSQL that broke");
GAUGE(metric_open, "starling_storage_open_operations", "Operations accepted and not yet answered");
GAUGE(metric_open_bytes, "starling_storage_open_bytes", "Memory of operations accepted and not yet answered");
COUNTER(metric_erased, "starling_storage_log_erased_total", NULL, "Entries of archives erased by their limits or with their accounts");

static struct metric errors[] = {
	[PG_CLASS_ROW] = { .name = ERRORS, .labels = "class=\"row\"", .help = "Errors of PostgreSQL by what they mean" },
	[PG_CLASS_RETRY] = { .name = ERRORS, .labels = "class=\"retry\"", .help = "Errors of PostgreSQL by what they mean" },
	[PG_CLASS_STALE] = { .name = ERRORS, .labels = "class=\"stale\"", .help = "Errors of PostgreSQL by what they mean" },
	[PG_CLASS_AWAY] = { .name = ERRORS, .labels = "class=\"away\"", .help = "Errors of PostgreSQL by what they mean" },
	[PG_CLASS_BUG] = { .name = ERRORS, .labels = "class=\"bug\"", .help = "Errors of PostgreSQL by what they mean" },
};

void store_metrics_register(void)
{
	struct metric *const all[] = {
		&metric_reads,        &metric_writes,         &metric_batches,      &metric_batches_split,
		&metric_batch_writes, &metric_commit_seconds, &metric_read_seconds, &metric_refused_away,
		&metric_refused_full, &metric_expired,        &metric_unconfirmed,  &metric_connections_up,
		&metric_losses,       &metric_open,           &metric_open_bytes,   &metric_erased,
	};

	for (size_t i = 0; i < COUNT(all); i++)
		metrics_register(all[i]);
	for (size_t i = 0; i < COUNT(errors); i++)
		metrics_register(&errors[i]);
}

void store_metrics_error(enum pg_class class)
{
	metric_inc(&errors[class]);
}
