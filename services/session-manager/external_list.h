/* SPDX-License-Identifier: Apache-2.0
 *
 * external_list: services outside of XMPP, as the configuration has them, or as clients are told of them. Never changed once it is made. */
#ifndef SESSION_MANAGER_EXTERNAL_LIST_H
#define SESSION_MANAGER_EXTERNAL_LIST_H

#include "common/daemon/config.h"
#include "services/session-manager/external_service.h"

struct external_list {
	struct arena *arena;
	struct external_service *items;
	uint32_t count;
};

/* As the configuration has it, secrets read. NULL with e set. */
struct external_list *external_list_load(const struct config_list *lines, const char *keys_dir, struct err *e);
/* Where a relay of this flock is. */
struct external_relay {
	struct str host;
	uint16_t port;
};
/* With each host=* replaced by those that are there. Keeps nothing of what it is given. */
struct external_list *external_list_expand(const struct external_list *lines, const struct external_relay *relays, uint32_t relay_count);
void external_list_free(struct external_list **l);
/* The same service (external_service_is); NULL: it is not there. */
const struct external_service *external_list_find(const struct external_list *l, const struct external_service *s);
/* Clients would see no difference. */
bool external_list_equal(const struct external_list *a, const struct external_list *b);

#endif
