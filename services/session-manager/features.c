/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of all features. One more is a file in features/, a line in features/features.h and a word here. */
#include "services/session-manager/features/features.h"

#include <stddef.h>

/* RFC 3921 section 3: old clients start a session after binding; binding has done that already. */
static void session_legacy(struct iq *iq)
{
	iq_result(iq, STR(""));
}

static const struct iq_row legacy_rows[] = {
	{ "urn:ietf:params:xml:ns:xmpp-session", "session", IQ_HOST | IQ_SELF, IQ_SET, session_legacy, false },
	{ 0 },
};
static const struct iq_feature legacy_feature = { "session", legacy_rows, NULL, NULL };

const struct iq_feature *const iq_features[] = {
	&roster_feature, &ping_feature,    &disco_feature,  &last_feature, &private_feature, &register_feature, &time_feature,
	&vcard_feature,  &version_feature, &legacy_feature, NULL,
};
