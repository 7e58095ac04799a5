/* SPDX-License-Identifier: Apache-2.0
 *
 * store_metrics: what the store counts. */
#ifndef STORAGE_STORE_METRICS_H
#define STORAGE_STORE_METRICS_H

#include "common/daemon/metrics.h"
#include "services/storage/pg_error.h"

extern struct metric metric_reads, metric_writes; /* operations that reached PostgreSQL and came back */
extern struct metric metric_batches, metric_batch_writes, metric_batches_split, metric_commit_seconds, metric_read_seconds;
extern struct metric metric_refused_away, metric_refused_full, metric_expired, metric_unconfirmed;
extern struct metric metric_connections_up, metric_losses, metric_open, metric_open_bytes;
extern struct metric metric_erased; /* rows that upkeep took out of the log */

void store_metrics_register(void);
void store_metrics_error(enum pg_class class);

#endif
