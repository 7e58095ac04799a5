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

/* Are there rules about what is received, and does one keep this from it? Counted then. */
bool mq_withheld(const struct mq_session *s, struct str topic);

/* True: a ban fits it, by what is known of it so far; it has been refused. */
bool mq_banned(struct mq_client *c);
/* Those of the last start. -1 with e set: the file is broken. */
int mq_bans_begin(struct mq_broker *b, struct err *e);

/* The client is one more of its user's connections, unless it is already. takes_over: one of them ends for it. False: there are as many as may be. */
bool mq_quota_enter(struct mq_client *c, bool takes_over);
void mq_quota_leave(struct mq_client *c);
/* Its session has other subscriptions than before. False: its user's are more than may be. */
bool mq_quota_subscribed(struct mq_client *c);
/* So much was read of it. False: too much, it is to be held until mq_quota_waits is false. */
bool mq_quota_spend(struct mq_client *c, unsigned messages, size_t bytes);
bool mq_quota_waits(const struct mq_client *c);

struct jwt_keys;

/* True: its password is a token, which decided. */
bool mq_token_login(struct mq_client *c, const struct mqtt_connect *p);
/* The keys of tokens; NULL: none are taken. 0, or -1 with e set. */
int mq_tokens_load(const struct mq_config *cfg, struct jwt_keys **out, struct err *e);
/* The client is gone: its token need not end it any more. */
void mq_token_stop(struct mq_client *c);
void mq_token_free(struct mq_token **token);
/* By the file of rules and by its token. topic as mq_access_allows. */
bool mq_client_allows(const struct mq_client *c, enum mq_access_what what, struct str topic);

#endif
