/* SPDX-License-Identifier: Apache-2.0
 *
 * response: Response Information (MQTT 5.0 sections 3.1.2.11.6 and 3.2.2.3.14): where a client that asks for it may expect answers, by a template of the configuration. It
 * grants nothing: what may be subscribed and published to, the access rules say. */
#ifndef MQTT_BROKER_RESPONSE_H
#define MQTT_BROKER_RESPONSE_H

#include "common/base/buf.h"
#include "common/daemon/config.h"

struct mq_client;

/* Each is a topic with %c and %u in it, or one of the hosts, a space, and such a topic. 0, or -1 with e set. */
int mq_response_check(const struct config_list *templates, const struct config_list *hosts, struct err *e);
/* Appends what this client is told. False: nothing, since there is no template for its host, or what stands for %c or %u is not a part of one level. */
bool mq_response_information(const struct mq_client *c, struct buf *out);

#endif
