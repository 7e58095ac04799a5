/* SPDX-License-Identifier: Apache-2.0
 *
 * ports: where clients come in: TCP, TLS and WebSocket, behind proxies or not. */
#ifndef MQTT_BROKER_PORTS_H
#define MQTT_BROKER_PORTS_H

#include "common/daemon/config.h"
#include "common/net/cidr.h"

struct mq_broker;

/* out: as many as the list has, or NULL. 0, or -1 with e set. */
int mq_proxies_parse(const struct config_list *list, struct cidr *out, struct err *e);
/* Listeners that are relaxed, by the names of their keys: are they any? 0, or -1 with e set. */
int mq_relaxed_check(const struct config_list *list, struct err *e);
/* As the configuration says now. */
void mq_ports_relax(struct mq_broker *b);
/* Takes the ports; nobody can connect yet. 0, or -1 with e set. */
int mq_ports_open(struct mq_broker *b, struct err *e);
/* From now on clients that connect are ours; they wait until mq_gate lets them in. Again: nothing. 0, or -1 with e set. */
int mq_ports_listen(struct mq_broker *b, struct err *e);
void mq_ports_close(struct mq_broker *b);

#endif
