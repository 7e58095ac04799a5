/* SPDX-License-Identifier: Apache-2.0
 *
 * ctl_config: what starlingctl itself reads from starling.yml: the shared keys, and services.starlingctl. */
#ifndef SERVICES_STARLINGCTL_CTL_CONFIG_H
#define SERVICES_STARLINGCTL_CTL_CONFIG_H

#include "common/daemon/config.h"

enum store_kind { STORE_PRIVATE, STORE_EXTERNAL };

struct ctl_config {
	struct config_shared shared;
	int postgres; /* enum store_kind */
	int redis;
	struct config_list scale; /* role=N */
	int64_t ready_timeout_ms;
};

int ctl_config_load(struct ctl_config *c, struct err *e);
void ctl_config_free(struct ctl_config *c);

#endif
