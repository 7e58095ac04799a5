/* SPDX-License-Identifier: Apache-2.0
 *
 * account: the users that certificates and tokens name (those that auth knows come from auth), and what users may receive. */
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "services/mqtt-broker/rights.h"

bool mq_withheld(const struct mq_session *s, struct str topic)
{
	const struct mq_access *access = s->tenant->broker->access;
	struct mq_access_who who;

	if (!mq_access_receives(access))
		return false;
	who = (struct mq_access_who){ s->id, s->user ? str_from(s->user) : (struct str){ 0 } };
	if (mq_access_allows(access, MQ_ACCESS_RECEIVE, &who, topic))
		return false;
	metric_inc(&mq_metrics.denied_receive);
	return true;
}

/* As auth spells it, so that it is the same user however it came in. What is no localpart of XMPP can be nobody else's either, and stays as it is. */
static char *spell(const struct mq_tenant *t, struct str user)
{
	struct jid jid;
	char *out;

	if (jid_make(user, t->name, STR(""), &jid) == JID_OK) {
		out = mem_strndup(jid.bare.p, jid.bare.n);
		jid_fini(&jid);
		return out;
	}
	out = mem_zalloc(user.n + t->name.n + 2);
	memcpy(out, user.p, user.n);
	out[user.n] = '@';
	memcpy(out + user.n + 1, t->name.p, t->name.n);
	return out;
}

char *mq_account(struct mq_broker *b, struct str name, struct mq_tenant **out)
{
	struct str user;

	*out = mq_tenant_of(b, name, &user);
	/* A host that is not ours: romeo there is not the romeo here. */
	if (!*out || user.n == 0 || memchr(user.p, '@', user.n) || memchr(user.p, '\0', user.n))
		return NULL;
	return spell(*out, user);
}

void mq_account_login(struct mq_client *c, const struct mqtt_connect *p, struct str name)
{
	struct mq_tenant *tenant, *wanted;
	char *account = mq_account(c->broker, name, &tenant);
	char *wish = p->has_username && p->username.n > 0 ? mq_account(c->broker, p->username, &wanted) : NULL;
	bool same = !p->has_username || p->username.n == 0 || (account && wish && strcmp(account, wish) == 0);

	mem_free(wish);
	if (!account || !same) {
		metric_inc(&mq_metrics.logins_failed);
		mem_free(account);
		mq_connect_refuse(c, account ? MQTT_BAD_USER_OR_PASSWORD : MQTT_NOT_AUTHORIZED,
		                  account ? "the user name is not the one that was proven" : "no user of this host");
		return;
	}
	metric_inc(&mq_metrics.logins_ok);
	c->tenant = tenant;
	c->login->user = account;
	mq_connect_accept(c);
}
