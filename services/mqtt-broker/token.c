/* SPDX-License-Identifier: Apache-2.0
 *
 * token: logins by a JSON Web Token in the place of a password. It says who the client is, until when, and if it likes what the client may do. */
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/crypto/jwt.h"
#include "services/mqtt-broker/rights.h"

#define NAME_MAX_BYTES   1024u
#define FILTERS_MAX      256u
#define FILTER_MAX_BYTES 1024u
#define LOOK_AGAIN_MS    3600000 /* the wall clock may be set meanwhile */

struct mq_token {
	struct mq_client *client;
	struct wheel_timer timer;
	int64_t end_s;         /* seconds since 1970 */
	struct mq_access *acl; /* NULL: it says nothing about that */
};

int mq_tokens_load(const struct mq_config *cfg, struct jwt_keys **out, struct err *e)
{
	*out = NULL;
	if (!cfg->jwt_keys || !cfg->jwt_keys[0])
		return 0;
	*out = jwt_keys_load(cfg->jwt_keys, e);
	return *out ? 0 : -1;
}

/* --- its end ------------------------------------------------------------------------------------------------------ */

static int64_t wall_s(void)
{
	return clock_wall_us() / 1000000;
}

static void arm(struct mq_token *t)
{
	int64_t left = t->end_s - wall_s();

	/* The clock may have been set since it was looked at. */
	left = left > 0 ? left : 0;
	net_timer_set(t->client->broker->net, &t->timer, left < LOOK_AGAIN_MS / 1000 ? (uint64_t)left * 1000 : LOOK_AGAIN_MS);
}

static void on_timer(struct wheel_timer *timer)
{
	struct mq_token *t = list_entry(timer, struct mq_token, timer);

	if (t->end_s > wall_s())
		arm(t);
	else
		mq_client_end(t->client, MQTT_NOT_AUTHORIZED, "the token has expired");
}

void mq_token_stop(struct mq_client *c)
{
	if (c->more && c->more->token)
		net_timer_cancel(c->broker->net, &c->more->token->timer);
}

void mq_token_free(struct mq_token **out)
{
	if (!*out)
		return;
	mq_access_free(&(*out)->acl);
	mem_free(*out);
	*out = NULL;
}

bool mq_client_allows(const struct mq_client *c, enum mq_access_what what, struct str topic)
{
	const char *user = mq_client_user(c);
	struct mq_access_who who = { mq_client_id(c), user ? str_from(user) : (struct str){ 0 } };
	const struct mq_access *acl = c->more && c->more->token ? c->more->token->acl : NULL;

	return mq_access_allows(c->broker->access, what, &who, topic) && (!acl || mq_access_allows(acl, what, &who, topic));
}

/* --- the claim acl ------------------------------------------------------------------------------------------------ */

/* One of its lists: each filter becomes a letter, itself and NUL. */
static bool add_filters(struct buf *out, const struct json_value *acl, const char *name, char letter, unsigned *count)
{
	struct json_value list, item;
	enum json_found found = json_member(acl, name, &list);
	char filter[FILTER_MAX_BYTES];
	size_t at = 0;

	if (found != JSON_FOUND)
		return found == JSON_ABSENT;
	while (json_item(&list, &at, &item)) {
		if (++*count > FILTERS_MAX || !json_string(&item, filter, sizeof(filter)))
			return false;
		buf_append_char(out, letter);
		buf_append(out, filter, strlen(filter) + 1);
	}
	return list.type == JSON_ARRAY;
}

static bool read_acl(const struct jwt *jwt, struct mq_access **out)
{
	enum json_found found;
	struct json_value acl;
	struct buf text = { 0 };
	unsigned count = 0;
	bool ok;

	*out = NULL;
	found = json_member(&jwt->claims, "acl", &acl);
	if (found != JSON_FOUND)
		return found == JSON_ABSENT;
	ok = acl.type == JSON_OBJECT && add_filters(&text, &acl, "publish", 'p', &count) &&
	     add_filters(&text, &acl, "subscribe", 's', &count);
	*out = ok ? mq_access_grants(buf_str(&text)) : NULL;
	buf_fini(&text);
	return *out != NULL;
}

/* --- login -------------------------------------------------------------------------------------------------------- */

/* Its name, and what it may. NULL: it is not to be accepted. */
static const char *judge(struct mq_client *c, const struct jwt *jwt, char name[NAME_MAX_BYTES], struct mq_access **acl, int64_t *end)
{
	const struct mq_config *cfg = c->broker->config;
	struct jwt_rules rules = { cfg->jwt_issuer, cfg->jwt_audience, cfg->jwt_leeway_ms / 1000 };
	struct json_value v;
	const char *why;

	if (!jwt_check(jwt, &rules, wall_s(), end, &why))
		return why;
	if (json_member(&jwt->claims, cfg->jwt_claim, &v) != JSON_FOUND || !json_string(&v, name, NAME_MAX_BYTES) || !name[0])
		return "no name";
	return read_acl(jwt, acl) ? NULL : "an acl that cannot be used";
}

static void accept_token(struct mq_client *c, const struct mqtt_connect *p, const char *name, struct mq_access *acl, int64_t end)
{
	struct mq_token *token = mem_new(struct mq_token);

	token->client = c;
	token->acl = acl;
	token->end_s = end;
	wheel_timer_init(&token->timer, on_timer);
	arm(token);
	mq_client_more(c)->token = token;
	/* Later there may be no token any more to look at. */
	if (p->has_will && acl && !mq_client_allows(c, MQ_ACCESS_PUBLISH, p->will.topic))
		mq_connect_refuse(c, MQTT_NOT_AUTHORIZED, "the token does not allow the topic of the will");
	else
		mq_account_login(c, p, str_from(name));
}

bool mq_token_login(struct mq_client *c, const struct mqtt_connect *p)
{
	struct mq_access *acl = NULL;
	char name[NAME_MAX_BYTES];
	const char *why;
	struct jwt jwt;
	int64_t end = 0;

	if (!c->broker->jwt_keys || !p->has_password || !jwt_like(p->password))
		return false;
	if (c->broker->config->require_tls && !c->encrypted) {
		mq_connect_refuse(c, MQTT_NOT_AUTHORIZED, "tokens are taken over TLS only");
		return true;
	}
	if (jwt_open(c->broker->jwt_keys, p->password, &jwt, &why))
		why = judge(c, &jwt, name, &acl, &end);
	jwt_close(&jwt);
	if (!why) {
		accept_token(c, p, name, acl, end);
		return true;
	}
	metric_inc(&mq_metrics.logins_failed);
	log_info(mq_log(c), "token refused: %s", why);
	mq_connect_refuse(c, MQTT_BAD_USER_OR_PASSWORD, why);
	return true;
}
