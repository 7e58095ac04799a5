/* SPDX-License-Identifier: Apache-2.0
 *
 * dial: from HOST:PORT to a connected descriptor: both kinds of addresses from the DNS at once, then the first that answers (RFC 8305). */
#ifndef COMMON_MQTT_LINK_MQTT_DIAL_H
#define COMMON_MQTT_LINK_MQTT_DIAL_H

#include "common/dns/dns.h"
#include "common/mqtt_link/mqtt_party.h"
#include "common/net/dialer.h"

struct mqtt_dial;

/* From the loop, never from within mqtt_dial_start, and the dial is gone by then. fd: the receiver's. Or -1, and why. */
typedef void (*mqtt_dial_fn)(int fd, const struct net_addr *addr, const char *why, void *ctx);

struct mqtt_dial *mqtt_dial_start(struct net_loop *net, struct dns *dns, const struct mqtt_party_address *to, uint32_t within_ms,
                                  mqtt_dial_fn fn, void *ctx);
/* Without a call of fn. */
void mqtt_dial_cancel(struct mqtt_dial **d);

#endif
