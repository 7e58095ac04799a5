/* SPDX-License-Identifier: Apache-2.0
 *
 * budget: how many answers go to a network that has not shown that it asked (net_addr_key: an IPv4 address, or a /64). A table of fixed size, with no memory of
 * who: networks that fall into one cell share it. Not for use by two threads at once. */
#ifndef TURN_BUDGET_H
#define TURN_BUDGET_H

#include <stdbool.h>

#include "common/net/addr.h"

#define BUDGET_CELLS 16384u

struct budget;

/* rate: answers a second; burst: at once, 1 to 65535. key: so that nobody can choose who shares his cell. */
struct budget *budget_new(uint32_t rate, uint32_t burst, uint64_t key);
void budget_free(struct budget **b);
bool budget_take(struct budget *b, const struct net_addr *to, uint64_t now_ms);

#endif
