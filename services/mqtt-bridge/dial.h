/* SPDX-License-Identifier: Apache-2.0
 *
 * dial: from HOST:PORT to a connected descriptor: both kinds of addresses from the DNS at once, then the first that answers (RFC 8305). */
#ifndef MQTT_BRIDGE_DIAL_H
#define MQTT_BRIDGE_DIAL_H

#include "common/dns/dns.h"
#include "common/net/dialer.h"
#include "services/mqtt-bridge/party.h"

struct dial;

/* From the loop, never from within dial_start, and the dial is gone by then. fd: the receiver's. Or -1, and why. */
typedef void (*dial_fn)(int fd, const struct net_addr *addr, const char *why, void *ctx);

struct dial *dial_start(struct net_loop *net, struct dns *dns, const struct party_address *to, uint32_t within_ms, dial_fn fn, void *ctx);
/* Without a call of fn. */
void dial_cancel(struct dial **d);

#endif
