/* SPDX-License-Identifier: Apache-2.0
 *
 * postgres_init: the first start of the private PostgreSQL, and who may connect to it. */
#ifndef SERVICES_STARLINGCTL_POSTGRES_INIT_H
#define SERVICES_STARLINGCTL_POSTGRES_INIT_H

#include "services/starlingctl/postgres.h"

/* Makes pg/ with a database `starling`, all or nothing. */
int postgres_make_database(const struct postgres *pg, struct err *e);
/* pg_hba.conf and pg_ident.conf: the system users that run the flock (daemon_user may be "") are the role `starling`, nobody else is. */
int postgres_write_access(const struct postgres *pg, const char *daemon_user, struct err *e);

/* In postgres.c: gives a path to the user that PostgreSQL runs as. */
int postgres_own(const struct postgres *pg, const char *path, struct err *e);

#endif
