/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows are in the order of enum sub_state. */
#include "services/session-manager/subscription.h"

static const struct sub_out outbound[SUB_STANZAS][SUB_STATES] = {
	/* A.2.1 */
	[SUB_SUBSCRIBE] = {
		[SUB_NONE]       = { true, SUB_NONE_PO },
		[SUB_NONE_PO]    = { true, SUB_NONE_PO },
		[SUB_NONE_PI]    = { true, SUB_NONE_PO_PI },
		[SUB_NONE_PO_PI] = { true, SUB_NONE_PO_PI },
		[SUB_TO]         = { true, SUB_TO },
		[SUB_TO_PI]      = { true, SUB_TO_PI },
		[SUB_FROM]       = { true, SUB_FROM_PO },
		[SUB_FROM_PO]    = { true, SUB_FROM_PO },
		[SUB_BOTH]       = { true, SUB_BOTH },
	},
	/* A.2.2 */
	[SUB_UNSUBSCRIBE] = {
		[SUB_NONE]       = { true, SUB_NONE },
		[SUB_NONE_PO]    = { true, SUB_NONE },
		[SUB_NONE_PI]    = { true, SUB_NONE_PI },
		[SUB_NONE_PO_PI] = { true, SUB_NONE_PI },
		[SUB_TO]         = { true, SUB_NONE },
		[SUB_TO_PI]      = { true, SUB_NONE_PI },
		[SUB_FROM]       = { true, SUB_FROM },
		[SUB_FROM_PO]    = { true, SUB_FROM },
		[SUB_BOTH]       = { true, SUB_FROM },
	},
	/* A.2.3 */
	[SUB_SUBSCRIBED] = {
		[SUB_NONE]       = { false, SUB_NONE },
		[SUB_NONE_PO]    = { false, SUB_NONE_PO },
		[SUB_NONE_PI]    = { true, SUB_FROM },
		[SUB_NONE_PO_PI] = { true, SUB_FROM_PO },
		[SUB_TO]         = { false, SUB_TO },
		[SUB_TO_PI]      = { true, SUB_BOTH },
		[SUB_FROM]       = { false, SUB_FROM },
		[SUB_FROM_PO]    = { false, SUB_FROM_PO },
		[SUB_BOTH]       = { false, SUB_BOTH },
	},
	/* A.2.4 */
	[SUB_UNSUBSCRIBED] = {
		[SUB_NONE]       = { false, SUB_NONE },
		[SUB_NONE_PO]    = { false, SUB_NONE_PO },
		[SUB_NONE_PI]    = { true, SUB_NONE },
		[SUB_NONE_PO_PI] = { true, SUB_NONE_PO },
		[SUB_TO]         = { false, SUB_TO },
		[SUB_TO_PI]      = { true, SUB_TO },
		[SUB_FROM]       = { true, SUB_NONE },
		[SUB_FROM_PO]    = { true, SUB_NONE_PO },
		[SUB_BOTH]       = { true, SUB_TO },
	},
};

static const struct sub_in inbound[SUB_STANZAS][SUB_STATES] = {
	/* A.3.1; in states with `from` the server answers by itself with `subscribed` (section 3.1.3) */
	[SUB_SUBSCRIBE] = {
		[SUB_NONE]       = { true, SUB_NONE_PI },
		[SUB_NONE_PO]    = { true, SUB_NONE_PO_PI },
		[SUB_NONE_PI]    = { false, SUB_NONE_PI },
		[SUB_NONE_PO_PI] = { false, SUB_NONE_PO_PI },
		[SUB_TO]         = { true, SUB_TO_PI },
		[SUB_TO_PI]      = { false, SUB_TO_PI },
		[SUB_FROM]       = { false, SUB_FROM },
		[SUB_FROM_PO]    = { false, SUB_FROM_PO },
		[SUB_BOTH]       = { false, SUB_BOTH },
	},
	/* A.3.2 */
	[SUB_UNSUBSCRIBE] = {
		[SUB_NONE]       = { false, SUB_NONE },
		[SUB_NONE_PO]    = { false, SUB_NONE_PO },
		[SUB_NONE_PI]    = { true, SUB_NONE },
		[SUB_NONE_PO_PI] = { true, SUB_NONE_PO },
		[SUB_TO]         = { false, SUB_TO },
		[SUB_TO_PI]      = { true, SUB_TO },
		[SUB_FROM]       = { true, SUB_NONE },
		[SUB_FROM_PO]    = { true, SUB_NONE_PO },
		[SUB_BOTH]       = { true, SUB_TO },
	},
	/* A.3.3 */
	[SUB_SUBSCRIBED] = {
		[SUB_NONE]       = { false, SUB_NONE },
		[SUB_NONE_PO]    = { true, SUB_TO },
		[SUB_NONE_PI]    = { false, SUB_NONE_PI },
		[SUB_NONE_PO_PI] = { true, SUB_TO_PI },
		[SUB_TO]         = { false, SUB_TO },
		[SUB_TO_PI]      = { false, SUB_TO_PI },
		[SUB_FROM]       = { false, SUB_FROM },
		[SUB_FROM_PO]    = { true, SUB_BOTH },
		[SUB_BOTH]       = { false, SUB_BOTH },
	},
	/* A.3.4 */
	[SUB_UNSUBSCRIBED] = {
		[SUB_NONE]       = { false, SUB_NONE },
		[SUB_NONE_PO]    = { true, SUB_NONE },
		[SUB_NONE_PI]    = { false, SUB_NONE_PI },
		[SUB_NONE_PO_PI] = { true, SUB_NONE_PI },
		[SUB_TO]         = { true, SUB_NONE },
		[SUB_TO_PI]      = { true, SUB_NONE_PI },
		[SUB_FROM]       = { false, SUB_FROM },
		[SUB_FROM_PO]    = { true, SUB_FROM },
		[SUB_BOTH]       = { true, SUB_FROM },
	},
};

/* The columns of a roster item in each state. */
static const struct {
	int subscription;
	bool ask, pending_in;
} columns[SUB_STATES] = {
	[SUB_NONE] = { 0, false, false },     [SUB_NONE_PO] = { 0, true, false }, [SUB_NONE_PI] = { 0, false, true },
	[SUB_NONE_PO_PI] = { 0, true, true }, [SUB_TO] = { 1, false, false },     [SUB_TO_PI] = { 1, false, true },
	[SUB_FROM] = { 2, false, false },     [SUB_FROM_PO] = { 2, true, false }, [SUB_BOTH] = { 3, false, false },
};

struct sub_out sub_outbound(enum sub_stanza s, enum sub_state state)
{
	return outbound[s][state];
}

struct sub_in sub_inbound(enum sub_stanza s, enum sub_state state)
{
	return inbound[s][state];
}

bool sub_can_preapprove(enum sub_state state)
{
	return state == SUB_NONE || state == SUB_NONE_PO || state == SUB_TO;
}

enum sub_state sub_preapproved(enum sub_state state)
{
	/* As if the request had been delivered and the user had approved it. */
	return outbound[SUB_SUBSCRIBED][inbound[SUB_SUBSCRIBE][state].next].next;
}

enum sub_state sub_pack(int subscription, bool ask, bool pending_in)
{
	for (int i = 0; i < SUB_STATES; i++) {
		if (columns[i].subscription == subscription && columns[i].ask == ask && columns[i].pending_in == pending_in)
			return (enum sub_state)i;
	}
	/* A combination that has no meaning, such as both and asking: what is granted counts. */
	for (int i = 0; i < SUB_STATES; i++) {
		if (columns[i].subscription == subscription && !columns[i].ask && !columns[i].pending_in)
			return (enum sub_state)i;
	}
	return SUB_NONE;
}

void sub_unpack(enum sub_state state, int *out_subscription, bool *out_ask, bool *out_pending_in)
{
	*out_subscription = columns[state].subscription;
	*out_ask = columns[state].ask;
	*out_pending_in = columns[state].pending_in;
}

bool sub_has_from(enum sub_state state)
{
	return columns[state].subscription >= 2;
}

bool sub_has_to(enum sub_state state)
{
	return columns[state].subscription & 1;
}
