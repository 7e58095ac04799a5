/* SPDX-License-Identifier: Apache-2.0
 *
 * ping: XEP-0199 2.0.1. The server answers for itself and, as section 4.2 asks, for an account of its own that is pinged at its bare JID. */
#include "services/session-manager/features/features.h"

static void answer(struct iq *iq)
{
	iq_result(iq, (struct str){ 0 });
}

static const struct iq_row rows[] = {
	{ "urn:xmpp:ping", "ping", IQ_HOST | IQ_SELF, IQ_GET, answer, false },
	{ "urn:xmpp:ping", "ping", IQ_ACCOUNT, IQ_GET, answer, true },
	{ 0 },
};

static const char *const vars[] = { "urn:xmpp:ping", NULL };

const struct iq_feature ping_feature = { "ping", rows, vars, vars };
