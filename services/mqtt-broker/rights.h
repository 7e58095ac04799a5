/* SPDX-License-Identifier: Apache-2.0
 *
 * rights: who a client is when auth is not asked. */
#ifndef MQTT_BROKER_RIGHTS_H
#define MQTT_BROKER_RIGHTS_H

#include "common/net/tls_trust.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/mq.h"

/* The bare JID of a user name ("user@host", "user"), and its host. NULL: it is none of ours. The caller's to free. */
char *mq_account(struct mq_broker *b, struct str name, struct mq_tenant **out);
/* The client has proven that this is its name: it is let in, unless its CONNECT has another one. */
void mq_account_login(struct mq_client *c, const struct mqtt_connect *p, struct str name);

/* True: its certificate decided, and the client is let in or refused. */
bool mq_certificate_login(struct mq_client *c, const struct mqtt_connect *p);
/* What clients' certificates are believed by; NULL: they are not asked for. 0, or -1 with e set. */
int mq_certificates_load(const struct mq_config *cfg, struct tls_trust **out, struct err *e);

#endif
