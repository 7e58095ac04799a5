/* SPDX-License-Identifier: Apache-2.0
 *
 * classify: which event an element of another server is. */
#include "services/s2s/s2s.h"

enum s2s_event s2s_classify(const struct stanza *stanza, const struct xml_node *node)
{
	static const struct {
		const char *ns, *name;
		enum s2s_event event;
	} table[] = {
		{ S2S_NS_STREAM, "features", S2S_EV_FEATURES },
		{ S2S_NS_STREAM, "error", S2S_EV_ERROR },
		{ S2S_NS_TLS, "starttls", S2S_EV_STARTTLS },
		{ S2S_NS_TLS, "proceed", S2S_EV_PROCEED },
		{ S2S_NS_TLS, "failure", S2S_EV_FAILURE },
		{ S2S_NS_SASL, "auth", S2S_EV_AUTH },
		{ S2S_NS_SASL, "success", S2S_EV_SUCCESS },
		{ S2S_NS_SASL, "failure", S2S_EV_FAILURE },
		{ S2S_NS_DIALBACK, "result", S2S_EV_RESULT },
		{ S2S_NS_DIALBACK, "verify", S2S_EV_VERIFY },
		{ S2S_NS_BIDI, "bidi", S2S_EV_BIDI },
		{ S2S_NS_COMPRESS, "compress", S2S_EV_COMPRESS },
		{ S2S_NS_COMPRESS, "compressed", S2S_EV_COMPRESSED },
		{ S2S_NS_COMPRESS, "failure", S2S_EV_FAILURE },
		{ S2S_NS_SM, "enable", S2S_EV_ENABLE },
		{ S2S_NS_SM, "resume", S2S_EV_RESUME },
		{ S2S_NS_SM, "enabled", S2S_EV_ENABLED },
		{ S2S_NS_SM, "failed", S2S_EV_FAILURE },
		{ S2S_NS_SM, "r", S2S_EV_REQUEST },
		{ S2S_NS_SM, "a", S2S_EV_ANSWER },
	};

	if (stanza)
		return S2S_EV_STANZA;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (str_is(node->name, table[i].name) && str_is(node->ns, table[i].ns))
			return table[i].event;
	}
	return S2S_EV_UNKNOWN;
}
