/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics_process: what every daemon's /metrics says of the process, the bus and the log. Private to daemon. */
#ifndef COMMON_DAEMON_METRICS_PROCESS_H
#define COMMON_DAEMON_METRICS_PROCESS_H

#include <stdint.h>

struct ipc_bus;

/* bus may be NULL. role and instance become labels of starling_build_info. */
void metrics_process_register(const struct ipc_bus *bus, const char *role, const char *name, const char *version);
/* The bus is going. */
void metrics_process_forget_bus(void);
uint64_t process_memory_bytes(void); /* resident */

#endif
