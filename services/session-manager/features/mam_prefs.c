/* SPDX-License-Identifier: Apache-2.0
 *
 * mam_prefs: XEP-0441 0.2.0, what a user wants archived. ../archive_rules.h applies it. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/account.h"
#include "services/session-manager/archive_rules.h"
#include "services/session-manager/features/features.h"
#include "services/session-manager/features/mam.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/sm.h"

#define JIDS_MAX 1000

/* As in ArchivePrefs.Default. */
static const char *const defaults[] = { NULL, "always", "never", "roster" };
#define DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

/* Sorted, each JID once; in the arena. */
struct list {
	char **jids;
	uint32_t count;
};

struct set {
	struct iq *iq;
	struct account *account; /* pinned by account_serial */
	int fallback;            /* in `defaults` */
	struct list always, never;
};

/* --- answers --- */

static void write_list(struct buf *out, const char *name, char *const *jids, uint32_t count)
{
	buf_printf(out, count ? "<%s>" : "<%s/>", name);
	for (uint32_t i = 0; i < count; i++) {
		buf_append_str(out, STR("<jid>"));
		xml_escape(out, str_from(jids[i]));
		buf_append_str(out, STR("</jid>"));
	}
	if (count)
		buf_printf(out, "</%s>", name);
}

static void answer(struct iq *iq, const struct archive_prefs *p)
{
	Starling__ArchivePrefs__Default fallback = p->fallback ? p->fallback : archive_host_default(iq->sm->options);
	struct buf out = { 0 };

	buf_printf(&out, "<prefs xmlns='" NS_MAM "' default='%s'>", defaults[(size_t)fallback < DEFAULTS ? fallback : 1]);
	write_list(&out, "always", p->always, p->always_count);
	write_list(&out, "never", p->never, p->never_count);
	buf_append_str(&out, STR("</prefs>"));
	iq_result(iq, buf_str(&out));
	buf_fini(&out);
}

static void loaded(struct account *a, void *ctx)
{
	struct iq *iq = ctx;

	if (a)
		answer(iq, msglog_prefs(a));
	else
		iq_fail(iq, CODE(WRONG_OWNER));
}

static void get(struct iq *iq)
{
	msglog_with(account_get(iq->sm, iq->account), loaded, iq);
}

/* --- changes --- */

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct list *l)
{
	uint32_t kept = 0;

	qsort(l->jids, l->count, sizeof(*l->jids), compare);
	for (uint32_t i = 0; i < l->count; i++) {
		if (kept == 0 || strcmp(l->jids[i], l->jids[kept - 1]) != 0)
			l->jids[kept++] = l->jids[i];
	}
	l->count = kept;
}

static bool disjoint(const struct list *x, const struct list *y)
{
	for (uint32_t i = 0; i < x->count; i++) {
		if (bsearch(&x->jids[i], y->jids, y->count, sizeof(*y->jids), compare))
			return false;
	}
	return true;
}

static bool read_jid(struct iq *iq, const struct xml_node *n, struct list *out)
{
	struct jid jid;

	if (jid_parse(xml_text(iq->arena, n), &jid) != JID_OK) {
		iq_error(iq, "jid-malformed", NULL);
		return false;
	}
	out->jids[out->count++] = arena_strndup(iq->arena, jid.full.p, jid.full.n);
	jid_fini(&jid);
	return true;
}

/* False: refused, and said so. */
static bool read_list(struct iq *iq, const char *name, struct list *out)
{
	const struct xml_node *list = xml_child(iq->child, name, NS_MAM);
	uint32_t count = 0;

	for (const struct xml_node *n = list ? xml_first_element(list) : NULL; n; n = xml_next_element(n)) {
		if (!str_is(n->name, "jid") || !str_is(n->ns, NS_MAM)) {
			iq_error(iq, "bad-request", "A list holds JIDs only.");
			return false;
		}
		if (++count > JIDS_MAX) {
			iq_error(iq, "policy-violation", "Too many JIDs.");
			return false;
		}
	}
	out->jids = arena_alloc(iq->arena, (count + 1) * sizeof(*out->jids));
	for (const struct xml_node *n = list ? xml_first_element(list) : NULL; n; n = xml_next_element(n)) {
		if (!read_jid(iq, n, out))
			return false;
	}
	sort(out);
	return true;
}

static bool read_set(struct iq *iq, struct set *out)
{
	struct str fallback = xml_get(iq->child, "default");

	for (size_t i = 1; i < DEFAULTS; i++) {
		if (str_is(fallback, defaults[i]))
			out->fallback = (int)i;
	}
	if (!out->fallback) {
		iq_error(iq, "bad-request", "default is one of always, never, roster.");
		return false;
	}
	if (!read_list(iq, "always", &out->always) || !read_list(iq, "never", &out->never))
		return false;
	if (!disjoint(&out->always, &out->never)) {
		iq_error(iq, "bad-request", "A JID cannot be in both lists.");
		return false;
	}
	return true;
}

static char **copy(const struct list *l)
{
	char **jids = l->count ? mem_alloc(l->count * sizeof(*jids)) : NULL;

	for (uint32_t i = 0; i < l->count; i++)
		jids[i] = mem_strdup(l->jids[i]);
	return jids;
}

/* --- to the store, and into force with its answer --- */

static void on_stored(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct set *set = ctx;
	struct iq *iq = set->iq;
	struct account *a = set->account;
	struct archive_prefs applied = { .fallback = (Starling__ArchivePrefs__Default)set->fallback,
		                         .always = set->always.jids,
		                         .always_count = set->always.count,
		                         .never = set->never.jids,
		                         .never_count = set->never.count };

	(void)reply;
	if (ipc_ok(result) && !a->dead) {
		struct archive_prefs fresh = applied;

		fresh.always = copy(&set->always);
		fresh.never = copy(&set->never);
		msglog_set_prefs(a, &fresh);
	}
	if (ipc_ok(result))
		answer(iq, &applied);
	else
		iq_fail(iq, result->code);
	account_serial_done(a);
}

static void store(struct account *a, void *ctx)
{
	struct set *set = ctx;
	struct iq *iq = set->iq;
	Starling__ArchivePrefs prefs = STARLING__ARCHIVE_PREFS__INIT;
	Starling__ArchivePrefsSetRequest request = STARLING__ARCHIVE_PREFS_SET_REQUEST__INIT;

	if (!a) {
		iq_fail(iq, CODE(WRONG_OWNER));
		return;
	}
	set->account = a;
	prefs.default_ = (Starling__ArchivePrefs__Default)set->fallback;
	prefs.always = set->always.jids;
	prefs.n_always = set->always.count;
	prefs.never = set->never.jids;
	prefs.n_never = set->never.count;
	request.account = a->bare_text;
	request.prefs = &prefs;
	call_storage_archive_prefs_set(iq->sm->bus, ipc_any("storage"), &(struct ipc_opts){ .trace = iq->trace }, &request, on_stored, set);
}

/* Once the old ones are known: so that those do not come after the new ones. */
static void known(struct account *a, void *ctx)
{
	struct set *set = ctx;

	if (a)
		account_serial(a, store, set);
	else
		iq_fail(set->iq, CODE(WRONG_OWNER));
}

static void change(struct iq *iq)
{
	struct set *set = arena_zalloc(iq->arena, sizeof(*set));

	set->iq = iq;
	if (read_set(iq, set))
		msglog_with(account_get(iq->sm, iq->account), known, set);
}

static void refuse(struct iq *iq)
{
	iq_error(iq, "forbidden", NULL);
}

static const struct iq_row rows[] = {
	{ NS_MAM, "prefs", IQ_SELF, IQ_GET, get, false },
	{ NS_MAM, "prefs", IQ_SELF, IQ_SET, change, false },
	{ NS_MAM, "prefs", IQ_ACCOUNT, IQ_GET | IQ_SET, refuse, false },
	{ 0 },
};

const struct iq_feature mam_prefs_feature = { "mam_prefs", rows, NULL, NULL };
