/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics: the workers' counters under their names. */
#ifndef TURN_METRICS_H
#define TURN_METRICS_H

struct turn;

void turn_metrics_register(struct turn *t);

#endif
