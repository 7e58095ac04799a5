/* SPDX-License-Identifier: Apache-2.0
 *
 * subscription: the states between a user and a contact, and what each subscription stanza does to them: RFC 6121 Appendix A, as literal
 * tables. Pure; subscribe.c acts on them. */
#ifndef SESSION_MANAGER_SUBSCRIPTION_H
#define SESSION_MANAGER_SUBSCRIPTION_H

#include <stdbool.h>

/* RFC 6121 Appendix A.1. PO: pending out (ask), PI: pending in. */
enum sub_state { SUB_NONE, SUB_NONE_PO, SUB_NONE_PI, SUB_NONE_PO_PI, SUB_TO, SUB_TO_PI, SUB_FROM, SUB_FROM_PO, SUB_BOTH, SUB_STATES };

enum sub_stanza { SUB_SUBSCRIBE, SUB_UNSUBSCRIBE, SUB_SUBSCRIBED, SUB_UNSUBSCRIBED, SUB_STANZAS };

struct sub_out {
	bool route;
	enum sub_state next;
};
struct sub_in {
	bool deliver;
	enum sub_state next;
};

/* Tables A.2.1 to A.2.4 and A.3.1 to A.3.4. */
struct sub_out sub_outbound(enum sub_stanza s, enum sub_state state);
struct sub_in sub_inbound(enum sub_stanza s, enum sub_state state);

/* RFC 6121 section 3.4: `subscribed` sent while the contact has not asked. */
bool sub_can_preapprove(enum sub_state state);
/* Where a pre-approved contact's `subscribe` leads at once. */
enum sub_state sub_preapproved(enum sub_state state);

/* To and from the columns of a roster item; `subscription` as in storage.proto: none 0, to 1, from 2, both 3. */
enum sub_state sub_pack(int subscription, bool ask, bool pending_in);
void sub_unpack(enum sub_state state, int *out_subscription, bool *out_ask, bool *out_pending_in);
bool sub_has_from(enum sub_state state);
bool sub_has_to(enum sub_state state);

#endif
