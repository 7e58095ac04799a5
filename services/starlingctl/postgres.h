/* SPDX-License-Identifier: Apache-2.0
 *
 * postgres: the flock's private PostgreSQL: data in pg/, a Unix socket in run/pg and no network. It refuses to run as root: then it
 * becomes the user postgres, and gets its folders as open descriptors (/proc/self/fd/3 and 4), since that user need not be able to
 * walk to the state folder. */
#ifndef SERVICES_STARLINGCTL_POSTGRES_H
#define SERVICES_STARLINGCTL_POSTGRES_H

#include <limits.h>

#include "services/starlingctl/child.h"
#include "services/starlingctl/ctl_config.h"

struct postgres {
	char bin[PATH_MAX]; /* folder of its programs */
	char program[PATH_MAX + 16];
	uid_t uid; /* 0: runs as who we are */
	gid_t gid;
	int data_fd, socket_fd;
};

/* Finds it, makes the database at the first time. 0, or -1 with e set. */
int postgres_open(struct postgres *pg, const struct config_shared *shared, struct err *e);
void postgres_close(struct postgres *pg);

/* context: struct postgres. */
extern const struct program postgres_program;

#endif
