/* SPDX-License-Identifier: Apache-2.0
 *
 * activate: the requester wants its bytestream to begin (XEP-0065 section 6.3.5). Clients connect to the instance whose address they were told, while their stanzas go to
 * any: one that has not got the connections asks the others, one after the other. */
#ifndef PROXY65_ACTIVATE_H
#define PROXY65_ACTIVATE_H

#include "services/proxy65/stanza.h"

/* The requester may; what is asked for is not looked at yet. Ends the request, now or later. */
void activate(struct request *r);

#endif
