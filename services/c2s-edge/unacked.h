/* SPDX-License-Identifier: Apache-2.0
 *
 * unacked: what went to a client and has not been acknowledged, in order: of each delivery its position in the log and its form, sixteen bytes. The
 * stanzas are the owner's to keep. A ring that is NULL while nothing is in it. No I/O. */
#ifndef C2S_EDGE_UNACKED_H
#define C2S_EDGE_UNACKED_H

#include <stdint.h>

struct c2s_unacked;

/* end: how many bytes of the connection's output are to be written until it has left. */
void c2s_unacked_push(struct c2s_unacked **u, uint64_t log_id, uint32_t form, uint64_t end);
/* The first n are done; at most as many as there are. */
void c2s_unacked_drop(struct c2s_unacked **u, uint64_t n);
uint32_t c2s_unacked_count(const struct c2s_unacked *u);
uint64_t c2s_unacked_log(const struct c2s_unacked *u, uint32_t i);
uint32_t c2s_unacked_form(const struct c2s_unacked *u, uint32_t i);
/* How many of the first `max` end at or before `written`. */
uint32_t c2s_unacked_written(const struct c2s_unacked *u, uint64_t written, uint32_t max);

#endif
