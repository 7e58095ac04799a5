/* SPDX-License-Identifier: Apache-2.0
 *
 * iq: IQs that the server itself answers: those to a host, to an account's bare JID, and those without an address. A feature is a
 * file in features/ with a table of rows; iq.c looks up (addressed to, type, namespace, name) and calls the handler, or answers
 * service-unavailable. A handler answers exactly once, now or later: iq_result, iq_error. */
#ifndef SESSION_MANAGER_IQ_H
#define SESSION_MANAGER_IQ_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/xml/xml.h"

struct sm;

enum iq_scope {
	IQ_HOST = 1,    /* to a local host */
	IQ_SELF = 2,    /* to the sender's own account, or without to: served by the owner of the sender */
	IQ_ACCOUNT = 4, /* to another local account's bare JID: served by the owner of that account */
};

/* One request being answered. Heap; freed by the answer. Strings and tree live in its arena until then. */
struct iq {
	struct sm *sm;
	struct arena *arena;
	enum iq_scope scope;
	bool set;           /* type set, else get */
	bool secret;        /* set by a handler: an error must not repeat the request, which holds a password */
	struct str from;    /* full JID of the asker, normalised; may be of another server */
	struct str to;      /* as asked; empty: none */
	struct str account; /* IQ_SELF, IQ_ACCOUNT: bare JID asked about */
	struct str host;    /* IQ_HOST: which; else the account's host */
	struct str id;
	struct xml_node *root;  /* the iq element */
	struct xml_node *child; /* its only child */
	/* The asker may know that the account exists and whether it is online: it is the account itself, or has a presence subscription (from,
	 * both) to it. Known before the handler of an IQ_ACCOUNT row is called, for which iq.c has loaded sessions and roster. */
	bool trusted;
	uint64_t trace;
	uint64_t stream; /* IQ_SELF and a local asker: its session's stream, else 0 */
};

struct iq_row {
	const char *ns, *name;
	unsigned scopes; /* iq_scope bits */
	unsigned types;  /* IQ_GET | IQ_SET */
	void (*handler)(struct iq *iq);
	/* IQ_ACCOUNT only for askers with a presence subscription (from, both) to the account; others get service-unavailable, as if nothing were there */
	bool subscribers_only;
};
#define IQ_GET 1u
#define IQ_SET 2u

/* A feature: what it answers and what it announces in disco#info. */
struct iq_feature {
	const char *name;                    /* "ping" */
	const struct iq_row *rows;           /* ends with ns NULL */
	const char *const *host_features;    /* disco vars of a host, NULL-terminated; may be NULL */
	const char *const *account_features; /* disco vars of an account */
};
/* All features, in one place: features.c. NULL-terminated. */
extern const struct iq_feature *const iq_features[];

void iq_result(struct iq *iq, struct str child);                       /* canonical element, may be empty */
void iq_error(struct iq *iq, const char *condition, const char *text); /* stanza error condition; text may be NULL */
/* Maps a failed call to a stanza error: UNAVAILABLE and TIMEOUT to resource-constraint of type wait, and so on. */
void iq_fail(struct iq *iq, int ipc_code);

#endif
