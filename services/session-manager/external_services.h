/* SPDX-License-Identifier: Apache-2.0
 *
 * external_services: the list of services outside of XMPP (XEP-0215), who asked for it, and telling those of changes: after a reload, and when a relay of this
 * flock comes or goes. */
#ifndef SESSION_MANAGER_EXTERNAL_SERVICES_H
#define SESSION_MANAGER_EXTERNAL_SERVICES_H

#include "services/session-manager/external_list.h"

struct session;
struct sm;

struct external_services;

/* NULL with e set. */
struct external_services *external_services_new(struct sm *sm, const struct config_list *lines, const char *keys_dir, struct err *e);
void external_services_free(struct external_services **s);
const struct external_list *external_services_now(const struct external_services *s);
/* A bad configuration leaves the old list in force: -1 with e set. */
int external_services_reload(struct external_services *s, const struct config_list *lines, const char *keys_dir, struct err *e);
/* Relays may have come or gone. */
void external_services_look(struct external_services *s);

/* The session has asked for services of that type (empty: all), and is told of changes from now on. Other types than those of calls are not remembered:
 * XEP-0215 section 3.2 leaves pushing to the server. */
void external_services_asked(struct external_services *s, struct session *session, struct str type);

#endif
