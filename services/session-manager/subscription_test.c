/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks every cell of RFC 6121 Appendix A against a second, differently written statement of it: what a stanza means for the three
 * facts from, to and the two pending requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/session-manager/subscription.h"

struct facts {
	bool to, from, out, in;
};

static struct facts facts_of(enum sub_state s)
{
	struct facts f;
	int subscription;

	sub_unpack(s, &subscription, &f.out, &f.in);
	f.to = subscription == 1 || subscription == 3;
	f.from = subscription == 2 || subscription == 3;
	return f;
}

static void same(struct facts a, enum sub_state state)
{
	struct facts b = facts_of(state);

	assert_int_equal(a.to, b.to);
	assert_int_equal(a.from, b.from);
	assert_int_equal(a.out, b.out);
	assert_int_equal(a.in, b.in);
}

static void outbound_cells(void **state)
{
	(void)state;
	for (int s = 0; s < SUB_STATES; s++) {
		struct facts f = facts_of((enum sub_state)s), n = f;

		/* Asking is always routed, and pending unless already granted. */
		n.out = f.out || !f.to;
		assert_true(sub_outbound(SUB_SUBSCRIBE, (enum sub_state)s).route);
		same(n, sub_outbound(SUB_SUBSCRIBE, (enum sub_state)s).next);

		n = f;
		n.to = n.out = false;
		assert_true(sub_outbound(SUB_UNSUBSCRIBE, (enum sub_state)s).route);
		same(n, sub_outbound(SUB_UNSUBSCRIBE, (enum sub_state)s).next);

		/* Granting needs a request. */
		n = f;
		n.from = f.from || f.in;
		n.in = false;
		assert_int_equal(sub_outbound(SUB_SUBSCRIBED, (enum sub_state)s).route, f.in);
		same(n, sub_outbound(SUB_SUBSCRIBED, (enum sub_state)s).next);

		n = f;
		n.from = n.in = false;
		assert_int_equal(sub_outbound(SUB_UNSUBSCRIBED, (enum sub_state)s).route, f.from || f.in);
		same(n, sub_outbound(SUB_UNSUBSCRIBED, (enum sub_state)s).next);
	}
}

static void inbound_cells(void **state)
{
	(void)state;
	for (int s = 0; s < SUB_STATES; s++) {
		struct facts f = facts_of((enum sub_state)s), n = f;

		n.in = f.in || !f.from;
		assert_int_equal(sub_inbound(SUB_SUBSCRIBE, (enum sub_state)s).deliver, !f.in && !f.from);
		same(n, sub_inbound(SUB_SUBSCRIBE, (enum sub_state)s).next);

		n = f;
		n.from = n.in = false;
		assert_int_equal(sub_inbound(SUB_UNSUBSCRIBE, (enum sub_state)s).deliver, f.from || f.in);
		same(n, sub_inbound(SUB_UNSUBSCRIBE, (enum sub_state)s).next);

		/* A grant that nobody asked for changes nothing: this is what keeps forged approvals out. */
		n = f;
		n.to = f.to || f.out;
		n.out = false;
		assert_int_equal(sub_inbound(SUB_SUBSCRIBED, (enum sub_state)s).deliver, f.out);
		same(n, sub_inbound(SUB_SUBSCRIBED, (enum sub_state)s).next);

		n = f;
		n.to = n.out = false;
		assert_int_equal(sub_inbound(SUB_UNSUBSCRIBED, (enum sub_state)s).deliver, f.to || f.out);
		same(n, sub_inbound(SUB_UNSUBSCRIBED, (enum sub_state)s).next);
	}
}

static void columns_go_both_ways(void **state)
{
	(void)state;
	for (int s = 0; s < SUB_STATES; s++) {
		int subscription;
		bool ask, in;

		sub_unpack((enum sub_state)s, &subscription, &ask, &in);
		assert_int_equal(sub_pack(subscription, ask, in), s);
	}
	assert_int_equal(sub_pack(3, true, true), SUB_BOTH);
}

static void preapproval_grants_on_request(void **state)
{
	(void)state;
	assert_int_equal(sub_preapproved(SUB_NONE), SUB_FROM);
	assert_int_equal(sub_preapproved(SUB_NONE_PO), SUB_FROM_PO);
	assert_int_equal(sub_preapproved(SUB_TO), SUB_BOTH);
	for (int s = 0; s < SUB_STATES; s++) {
		struct facts f = facts_of((enum sub_state)s);

		assert_int_equal(sub_can_preapprove((enum sub_state)s), !f.from && !f.in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outbound_cells),
		cmocka_unit_test(inbound_cells),
		cmocka_unit_test(columns_go_both_ways),
		cmocka_unit_test(preapproval_grants_on_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
