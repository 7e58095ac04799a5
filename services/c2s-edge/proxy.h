/* SPDX-License-Identifier: Apache-2.0
 *
 * proxy: an edge behind proxies that announce each client (PROXY protocol). */
#ifndef C2S_EDGE_PROXY_H
#define C2S_EDGE_PROXY_H

#include "common/daemon/config.h"
#include "common/net/cidr.h"

struct c2s_edge;

/* out: one for each item; NULL: only look. 0, or -1 with e set. */
int c2s_proxy_parse(const struct config_list *list, struct cidr *out, struct err *e);
/* From the checked configuration: edge->proxies and edge->proxy, for listener_expect_proxy. */
void c2s_proxy_init(struct c2s_edge *edge);

#endif
