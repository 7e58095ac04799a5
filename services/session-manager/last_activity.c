/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/last_activity.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/xml/xml.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/account.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"

void last_activity_note(struct account *a, struct str presence)
{
	Starling__LastPutRequest request = STARLING__LAST_PUT_REQUEST__INIT;
	struct arena *arena;
	struct xml_node *root, *status;
	struct str text = { 0 };

	list_for_each (n, &a->sessions) {
		if (list_entry(n, struct session, of_account)->available)
			return;
	}
	arena = arena_new(0);
	root = xml_parse(arena, presence, STR("jabber:client"));
	status = root ? xml_child(root, "status", NULL) : NULL;
	if (status)
		text = xml_text(arena, status);
	a->last_us = clock_wall_us();
	mem_free(a->last_status);
	a->last_status = mem_strndup(text.p ? text.p : "", text.n);
	request.account = a->bare_text;
	request.time_us = a->last_us;
	request.status = a->last_status;
	call_storage_last_put(a->sm->bus, ipc_any("storage"), NULL, &request, NULL, NULL);
	arena_free(&arena);
}
