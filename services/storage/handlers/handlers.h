/* SPDX-License-Identifier: Apache-2.0
 *
 * The methods of ipc/proto/storage.proto, by topic. Each is a statement, a bind and an answer (services/storage/op.h). */
#ifndef STORAGE_HANDLERS_H
#define STORAGE_HANDLERS_H

#include "services/storage/op.h"

/* accounts.c */
extern const struct method account_create, credentials_get, credentials_set, account_delete, account_list;
/* roster.c */
extern const struct method roster_load, roster_put, roster_remove;
/* offline.c */
extern const struct method offline_append, offline_fetch, offline_remove, offline_count;
/* small.c */
extern const struct method private_get, private_put, vcard_get, vcard_put, last_get, last_put;

#endif
