/* SPDX-License-Identifier: Apache-2.0
 *
 * carbons: XEP-0280 1.0.1, sections 4 and 5: a client turns copies on and off, for its own session, as often as it likes. ../carbons.h has which
 * messages are copied. */
#include "services/session-manager/features/features.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_store.h"
#include "services/session-manager/sm.h"

#define NS_CARBONS "urn:xmpp:carbons:2"

static void turn(struct iq *iq, bool on)
{
	struct session *s = session_find(iq->sm, iq->stream);

	if (!s) {
		iq_error(iq, "not-allowed", NULL);
		return;
	}
	if (s->carbons != on) {
		s->carbons = on;
		session_save(s);
	}
	iq_result(iq, (struct str){ 0 });
}

static void enable(struct iq *iq)
{
	turn(iq, true);
}

static void disable(struct iq *iq)
{
	turn(iq, false);
}

static void refuse(struct iq *iq)
{
	iq_error(iq, "not-allowed", NULL);
}

static const struct iq_row rows[] = {
	{ NS_CARBONS, "enable", IQ_SELF, IQ_SET, enable, false },
	{ NS_CARBONS, "disable", IQ_SELF, IQ_SET, disable, false },
	{ NS_CARBONS, "enable", IQ_ACCOUNT, IQ_SET, refuse, false },
	{ NS_CARBONS, "disable", IQ_ACCOUNT, IQ_SET, refuse, false },
	{ 0 },
};

static const char *const vars[] = { NS_CARBONS, "urn:xmpp:carbons:rules:0", NULL };

const struct iq_feature carbons_feature = { "carbons", rows, vars, NULL };
