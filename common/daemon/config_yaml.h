/* SPDX-License-Identifier: Apache-2.0
 *
 * config_yaml: the file, checked key by key against tables of options. Private to config. */
#ifndef COMMON_DAEMON_CONFIG_YAML_H
#define COMMON_DAEMON_CONFIG_YAML_H

#include "common/daemon/config.h"

/* One table and what it fills. */
struct config_part {
	const struct config_option *options;
	void *base;
	bool *seen;    /* one for each option: it stands in the file (or the environment) */
	unsigned line; /* of the section, 0 when there is none */
};

/* Reads the file. roles: names that may stand under `services`. folder: where relative paths start. */
int config_yaml_read(const char *path, const char *folder, const char *role, const struct config_list *roles, struct config_part *shared,
                     struct config_part *own, struct err *e);
/* The candidate nearest to `name`, "" when none is near. Candidates are offered one by one. */
struct config_nearest {
	const char *name;
	char best[65];
	unsigned distance;
};
void config_nearest_offer(struct config_nearest *n, const char *candidate);

#endif
