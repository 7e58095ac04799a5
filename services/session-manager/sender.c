/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/sender.h"

#include "common/xmpp/jid.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/sm.h"

bool sender_epoch(const struct sm *sm, const struct packet *p, uint64_t *out)
{
	struct str from = jid_view_bare(str_from(p->meta->from));
	uint32_t slot;

	*out = 0;
	if (p->key.stream == 0 || jid_view_local(from).n == 0 || !sm_local_host(sm, jid_view_domain(from)))
		return true;
	slot = hash_slot(from);
	if (!p->taken_ms || p->taken_ms >= ownership_since_ms(sm, slot))
		*out = ownership_epoch(sm, slot);
	if (*out == 0)
		receipt_fail(p->receipt, CODE(WRONG_OWNER));
	return *out != 0;
}
