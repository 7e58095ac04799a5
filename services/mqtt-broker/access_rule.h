/* SPDX-License-Identifier: Apache-2.0
 *
 * access_rule: what access.c (deciding) and access_parse.c (reading) share. */
#ifndef MQTT_BROKER_ACCESS_RULE_H
#define MQTT_BROKER_ACCESS_RULE_H

#include <stdint.h>

#include "services/mqtt-broker/access.h"

enum mq_who { MQ_WHO_ALL, MQ_WHO_ANONYMOUS, MQ_WHO_AUTHENTICATED, MQ_WHO_USER };

struct mq_rule {
	struct str filter, user; /* of text */
	uint8_t what;            /* enum mq_access_what */
	uint8_t who;
	bool allow;
};

struct mq_access {
	char *text;
	struct mq_rule *rules;
	size_t count;
	bool receives; /* one of them is for MQ_ACCESS_RECEIVE */
};

/* The local part; empty for who is anonymous. */
static inline struct str mq_access_user(const struct mq_access_who *who)
{
	const char *at = who->account.p ? memchr(who->account.p, '@', who->account.n) : NULL;

	return at ? str_make(who->account.p, (size_t)(at - who->account.p)) : str_make("", 0);
}

#endif
