/* SPDX-License-Identifier: Apache-2.0
 *
 * register: XEP-0077 2.4 for users who are logged in: a new password, and the end of the account. Registering is the edge's, before login.
 * Non-goal: registration with other services, which are other domains. */
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/auth.client.h"
#include "services/session-manager/features/features.h"
#include "services/session-manager/sm.h"

#define NS_REGISTER "jabber:iq:register"

/* The account that the asker is logged in to on this host; empty: it is somebody else's client, or a server. */
static struct str own_account(const struct iq *iq)
{
	struct str bare = jid_view_bare(iq->from);

	if (!iq->stream || !str_eq(jid_view_domain(bare), iq->host))
		return (struct str){ 0 };
	return bare;
}

static void get(struct iq *iq)
{
	struct str account = own_account(iq);
	struct buf out = { 0 };

	if (!account.n) {
		iq_error(iq, "not-allowed", NULL);
		return;
	}
	buf_append_cstr(&out, "<query xmlns='" NS_REGISTER "'><registered/><instructions>Choose a new password.</instructions><username>");
	xml_escape(&out, jid_view_local(account));
	buf_append_cstr(&out, "</username><password/></query>");
	iq_result(iq, buf_str(&out));
	buf_fini(&out);
}

static void on_password(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct iq *iq = ctx;

	(void)reply;
	if (ipc_ok(result))
		iq_result(iq, (struct str){ 0 });
	else if (result->code == STARLING__CODE__CODE_INVALID)
		iq_error(iq, "not-acceptable", result->text);
	else
		iq_fail(iq, result->code);
}

static void change_password(struct iq *iq, struct str account, const struct xml_node *username, const struct xml_node *password)
{
	Starling__ChangePasswordRequest request = STARLING__CHANGE_PASSWORD_REQUEST__INIT;
	struct str text = xml_text(iq->arena, password);
	struct jid asked;
	bool own;

	if (jid_make(xml_text(iq->arena, username), iq->host, (struct str){ 0 }, &asked) != JID_OK) {
		iq_error(iq, "bad-request", "The user name is malformed.");
		return;
	}
	own = str_eq(asked.bare, account);
	jid_fini(&asked);
	if (!own) {
		iq_error(iq, "forbidden", "This is another user's name.");
		return;
	}
	request.account = arena_strndup(iq->arena, account.p, account.n);
	request.password = arena_strndup(iq->arena, text.p, text.n);
	request.by_user = true;
	call_auth_change_password(iq->sm->bus, ipc_any("auth"), &(struct ipc_opts){ .trace = iq->trace }, &request, on_password, iq);
}

static void on_removed(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct iq *iq = ctx;
	struct sm *sm = iq->sm;
	char *account;

	(void)reply;
	if (!ipc_ok(result)) {
		iq_fail(iq, result->code);
		return;
	}
	account = mem_strndup(jid_view_bare(iq->from).p, jid_view_bare(iq->from).n);
	iq_result(iq, (struct str){ 0 });
	account_removed(sm, str_from(account));
	mem_free(account);
}

static void remove_account(struct iq *iq, struct str account)
{
	Starling__AccountRequest request = STARLING__ACCOUNT_REQUEST__INIT;

	request.account = arena_strndup(iq->arena, account.p, account.n);
	call_auth_remove_account(iq->sm->bus, ipc_any("auth"), &(struct ipc_opts){ .trace = iq->trace }, &request, on_removed, iq);
}

static void set(struct iq *iq)
{
	struct str account = own_account(iq);
	const struct xml_node *remove = xml_child(iq->child, "remove", NS_REGISTER);
	const struct xml_node *username = xml_child(iq->child, "username", NS_REGISTER),
	                      *password = xml_child(iq->child, "password", NS_REGISTER);

	iq->secret = true;
	if (!account.n)
		iq_error(iq, "not-allowed", NULL);
	else if (remove && xml_next_element(xml_first_element(iq->child)))
		iq_error(iq, "bad-request", "<remove/> stands alone.");
	else if (remove)
		remove_account(iq, account);
	else if (!username || !password || !xml_text(iq->arena, password).n)
		iq_error(iq, "bad-request", "A user name and a new password are needed.");
	else
		change_password(iq, account, username, password);
}

static const struct iq_row rows[] = {
	{ NS_REGISTER, "query", IQ_HOST | IQ_SELF, IQ_GET, get, false },
	{ NS_REGISTER, "query", IQ_HOST | IQ_SELF, IQ_SET, set, false },
	{ 0 },
};

static const char *const vars[] = { NS_REGISTER, NULL };

const struct iq_feature register_feature = { "register", rows, vars, NULL };
