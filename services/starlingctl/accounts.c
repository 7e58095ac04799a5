/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands on accounts: register, unregister, change-password, registered-users. Asked of any auth instance. */
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "ipc/gen/auth.client.h"
#include "services/starlingctl/client.h"
#include "services/starlingctl/command.h"
#include "services/starlingctl/json.h"

enum { JID_BYTES = 2048, PASSWORD_BYTES = 1024, PAGE = 1000 };

/* A call that answers nothing but whether it was done. */
struct simple {
	struct client client;
	int status;
};

static void settle(struct simple *s, const struct ipc_result *result)
{
	if (!ipc_ok(result))
		s->status = command_fail(s->client.args, exit_code_of(result->code), "%s%s%s", ipc_code_name(result->code),
		                         *result->text ? ": " : "", result->text);
	client_answered(&s->client);
}

static void on_done(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	(void)reply;
	settle(ctx, result);
}

static int finish(struct simple *s)
{
	client_wait(&s->client);
	client_close(&s->client);
	return s->status ? s->status : command_done(s->client.args);
}

/* words: USER HOST. An operator may write the whole address as USER when HOST is its domain; that is no use to anyone, so it is refused. */
static int address_of(const struct args *a, char *out)
{
	int n = snprintf(out, JID_BYTES, "%s@%s", a->words[0], a->words[1]);

	if (n >= JID_BYTES || strpbrk(a->words[0], "@/") || strpbrk(a->words[1], "@/"))
		return command_fail(a, CTL_USAGE, "USER is the part before the @ of an address, HOST the part behind it");
	return 0;
}

/* From the terminal without echo, else from the pipe; one line. */
static int read_password(char out[PASSWORD_BYTES])
{
	struct termios before, quiet;
	bool terminal = tcgetattr(0, &before) == 0;
	bool got;

	if (terminal) {
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(0, TCSAFLUSH, &quiet);
		fprintf(stderr, "Password: ");
	}
	got = fgets(out, PASSWORD_BYTES, stdin) != NULL;
	if (terminal) {
		tcsetattr(0, TCSAFLUSH, &before);
		fprintf(stderr, "\n");
	}
	if (!got)
		return -1;
	out[strcspn(out, "\r\n")] = '\0';
	return *out ? 0 : -1;
}

static int password_of(const struct args *a, char out[PASSWORD_BYTES])
{
	if (a->word_count < 3 || strcmp(a->words[2], "-") == 0)
		return read_password(out) ? command_fail(a, CTL_USAGE, "no password on standard input") : 0;
	if (strlen(a->words[2]) >= PASSWORD_BYTES)
		return command_fail(a, CTL_USAGE, "the password is longer than %d bytes", PASSWORD_BYTES - 1);
	memcpy(out, a->words[2], strlen(a->words[2]) + 1);
	return 0;
}

static int with_password(const struct args *a, void (*call)(struct simple *s, char *account, char *password))
{
	char account[JID_BYTES], password[PASSWORD_BYTES];
	struct simple s = { 0 };
	int status = address_of(a, account);

	if (status == 0)
		status = password_of(a, password);
	if (status)
		return status;
	status = client_open(&s.client, a);
	if (status == 0) {
		client_await(&s.client, "auth");
		client_expect(&s.client);
		call(&s, account, password);
		mem_wipe(password, sizeof(password));
		return finish(&s);
	}
	mem_wipe(password, sizeof(password));
	client_close(&s.client);
	return status;
}

static void call_register(struct simple *s, char *account, char *password)
{
	Starling__CreateAccountRequest request = STARLING__CREATE_ACCOUNT_REQUEST__INIT;

	request.account = account;
	request.password = password;
	request.by_operator = true;
	call_auth_create_account(s->client.bus, ipc_any("auth"), &s->client.opts, &request, on_done, s);
}

int command_register(const struct args *a)
{
	return with_password(a, call_register);
}

static void call_change_password(struct simple *s, char *account, char *password)
{
	Starling__ChangePasswordRequest request = STARLING__CHANGE_PASSWORD_REQUEST__INIT;

	request.account = account;
	request.password = password;
	call_auth_change_password(s->client.bus, ipc_any("auth"), &s->client.opts, &request, on_done, s);
}

int command_change_password(const struct args *a)
{
	return with_password(a, call_change_password);
}

int command_unregister(const struct args *a)
{
	Starling__AccountRequest request = STARLING__ACCOUNT_REQUEST__INIT;
	char account[JID_BYTES];
	struct simple s = { 0 };
	int status = address_of(a, account);

	if (status)
		return status;
	status = client_open(&s.client, a);
	if (status) {
		client_close(&s.client);
		return status;
	}
	request.account = account;
	client_await(&s.client, "auth");
	client_expect(&s.client);
	call_auth_remove_account(s.client.bus, ipc_any("auth"), &s.client.opts, &request, on_done, &s);
	return finish(&s);
}

/* --- registered-users: page by page ------------------------------------------------------------------------------------ */

struct listing {
	struct simple simple; /* first: settle() takes it */
	struct json json;
	char after[JID_BYTES];
};

static void ask_page(struct listing *l);

static void on_page(const struct ipc_result *result, const Starling__ListAccountsReply *reply, void *ctx)
{
	struct listing *l = ctx;

	if (ipc_ok(result)) {
		for (size_t i = 0; i < reply->n_accounts; i++) {
			if (l->simple.client.args->json)
				json_text(&l->json, NULL, reply->accounts[i]);
			else
				printf("%s\n", reply->accounts[i]);
		}
		if (!reply->complete && reply->n_accounts) {
			snprintf(l->after, sizeof(l->after), "%s", reply->accounts[reply->n_accounts - 1]);
			ask_page(l);
		}
	}
	settle(&l->simple, result);
}

static void ask_page(struct listing *l)
{
	Starling__ListAccountsRequest request = STARLING__LIST_ACCOUNTS_REQUEST__INIT;
	struct client *c = &l->simple.client;

	request.host = (char *)(uintptr_t)c->args->words[0];
	request.after = l->after;
	request.limit = PAGE;
	client_expect(c);
	call_auth_list_accounts(c->bus, ipc_any("auth"), &c->opts, &request, on_page, l);
}

int command_registered_users(const struct args *a)
{
	struct listing l = { 0 };
	int status = client_open(&l.simple.client, a);

	json_open(&l.json, NULL, '{');
	json_open(&l.json, "accounts", '[');
	if (status == 0) {
		client_await(&l.simple.client, "auth");
		ask_page(&l);
		client_wait(&l.simple.client);
		status = l.simple.status;
	}
	json_close(&l.json, ']');
	json_close(&l.json, '}');
	if (status == 0 && a->json)
		json_print(&l.json);
	buf_fini(&l.json.out);
	client_close(&l.simple.client);
	return status;
}
