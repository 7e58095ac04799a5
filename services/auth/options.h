/* SPDX-License-Identifier: Apache-2.0
 *
 * options: the section services.auth of starling.yml. Read through auth_options() at each use, so that a reload takes effect at once. */
#ifndef SERVICES_AUTH_OPTIONS_H
#define SERVICES_AUTH_OPTIONS_H

#include "common/daemon/config.h"

struct options {
	struct config_list mechanisms;
	int64_t iterations;
	char *seal_key; /* "": auth-seal.key in the folder of the bus's keys */
	int64_t hash_threads, hash_queue;
	int64_t failures_per_minute, failure_burst, throttle_addresses;
	bool registration;
	struct config_list registration_hosts;
	int64_t registrations_per_hour, registration_burst, password_min;
	struct config_list reserved;
};

extern const struct config_option options_table[];
/* What the table cannot say: names of mechanisms, and that registration's hosts are served. */
int options_check(const struct config_shared *shared, const void *config, struct err *e);
bool options_list_has(const struct config_list *list, const char *item);

#endif
