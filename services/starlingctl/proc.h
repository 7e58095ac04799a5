/* SPDX-License-Identifier: Apache-2.0
 *
 * proc: other processes, by number and start time, so that a number used again is not taken for the old process. */
#ifndef SERVICES_STARLINGCTL_PROC_H
#define SERVICES_STARLINGCTL_PROC_H

#include <stdbool.h>
#include <stdint.h>

/* Start time in clock ticks since boot; 0 when there is no such process. */
uint64_t proc_start_ticks(int pid);
/* Alive, the same one, and not a zombie. */
bool proc_alive(int pid, uint64_t start_ticks);
/* Resident bytes; 0 when there is no such process. */
uint64_t proc_memory(int pid);
/* Age of a process that started then; 0 for 0. */
uint64_t proc_uptime_ms(uint64_t start_ticks);

#endif
