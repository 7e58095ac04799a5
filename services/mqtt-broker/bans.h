/* SPDX-License-Identifier: Apache-2.0
 *
 * bans: who may not connect, and until when. Pure, but for mq_bans_load and mq_bans_save. Times are the wall clock's seconds since 1970: a ban outlives restarts. */
#ifndef MQTT_BROKER_BANS_H
#define MQTT_BROKER_BANS_H

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/net/cidr.h"

#define MQ_BANS_MAX 10000u

/* Whom: empty or NULL is anybody; all others have to fit. */
struct mq_whom {
	const char *client; /* client identifier */
	const char *user;   /* bare JID */
	const char *address;
};

struct mq_ban {
	struct list_node node;
	char *client, *user, *address; /* "": anybody */
	struct cidr net;               /* of address */
	int64_t until_s;               /* 0: until it is taken back */
};

struct mq_bans {
	struct list_node list;
	uint32_t count;
};

void mq_bans_init(struct mq_bans *b);
void mq_bans_fini(struct mq_bans *b);
/* 0, or -1 with e set: nobody is meant, or the address is none. out: for mq_whom_fits; whom's strings must last as long. */
int mq_whom_parse(const struct mq_whom *whom, struct mq_ban *out, struct err *e);
/* user: NULL when it is anonymous, or not known yet. */
bool mq_whom_fits(const struct mq_ban *whom, struct str client, const char *user, const struct net_addr *address);
/* One of the same whom is replaced. -1 with e set: as mq_whom_parse, or there are MQ_BANS_MAX. */
int mq_bans_add(struct mq_bans *b, const struct mq_whom *whom, int64_t until_s, struct err *e);
/* All that name what whom does, whatever else they name. False: there is none. */
bool mq_bans_remove(struct mq_bans *b, const struct mq_whom *whom);
/* Does one fit? Those that are over go on the way. */
bool mq_bans_has(struct mq_bans *b, struct str client, const char *user, const struct net_addr *address, int64_t now_s);
void mq_bans_expire(struct mq_bans *b, int64_t now_s);

/* A line each. */
void mq_bans_write(const struct mq_bans *b, struct buf *out);
/* Adds them. -1 with e set: a line of it is none that mq_bans_write makes. */
int mq_bans_read(struct mq_bans *b, struct str text, struct err *e);
/* The file may be missing. It is written anew as a whole, and then put in the place of the old one. */
int mq_bans_load(struct mq_bans *b, const char *path, struct err *e);
int mq_bans_save(const struct mq_bans *b, const char *path, struct err *e);

#endif
