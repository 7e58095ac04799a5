/* SPDX-License-Identifier: Apache-2.0
 *
 * rules: the file that services.mqtt-gateway.rules names: which topics become messages to whom, and who may write to which topic. It is an
 * operator's, read at start and on SIGHUP; errors name the line. README.md has the format. */
#ifndef MQTT_GATEWAY_RULES_H
#define MQTT_GATEWAY_RULES_H

#include "common/base/err.h"
#include "common/daemon/config.h"
#include "common/xmpp/stanza.h"
#include "services/mqtt-gateway/template.h"

#define RULES_MAX       256u
#define RULE_TOPICS_MAX 16u
#define RULE_TO_MAX     8u
#define RULE_USERS_MAX  64u

enum rule_kind { RULE_TO_USER, RULE_TO_TOPIC, RULE_KINDS };

struct rule_address {
	struct template local; /* what a device says goes nowhere but here */
	char *domain;          /* one of our hosts */
};

struct rule {
	enum rule_kind kind;
	char *name;      /* of the rule */
	char *address;   /* localpart at our domain: whom messages come from, or whom users write to; prepared */
	uint32_t logged; /* bits: what was said once */
	uint8_t qos;     /* 0, 1 */

	/* RULE_TO_USER */
	char *topics[RULE_TOPICS_MAX]; /* filters */
	size_t topic_count;
	struct rule_address to[RULE_TO_MAX];
	size_t to_count;
	struct template body, subject;
	bool has_body, has_subject;
	enum stanza_type type; /* NONE: normal */

	/* RULE_TO_TOPIC */
	char *users[RULE_USERS_MAX]; /* bare JIDs, and domains with an @ before them; normalised */
	size_t user_count;
	struct template topic;
	bool has_topic, json, retain;
};

struct rules {
	struct rule *items;
	size_t count;
};

/* hosts: this server's. NULL with e set. */
struct rules *rules_parse(struct str text, const struct config_list *hosts, struct err *e);
/* The same from a file. */
struct rules *rules_load(const char *path, const struct config_list *hosts, struct err *e);
void rules_free(struct rules **rules);

/* The first rule that takes a topic's messages to users; *out_filter is the one of its filters that does. NULL: none does. */
struct rule *rules_for_topic(const struct rules *rules, struct str topic, struct str *out_filter);
/* What the wildcards of a filter stand for in a name that it matches: + a level, # the rest. */
void rules_captures(struct str filter, struct str name, struct str out[TEMPLATE_LEVELS]);

enum rules_verdict {
	RULES_OK,
	RULES_UNKNOWN,  /* nobody is called so */
	RULES_SILENT,   /* who is called so writes, and cannot be written to */
	RULES_FORBIDDEN /* others may, this user may not */
};
/* The rule by which from, a bare JID, may write to that name at our domain. */
enum rules_verdict rules_for_name(const struct rules *rules, struct str name, struct str from, struct rule **out);
/* Whether from, a bare JID, may see that name: who may write to it, and everybody of a host that it writes to. */
bool rules_visible(const struct rules *rules, struct str name, struct str from);
/* The first rule whose address it is, of that kind. */
struct rule *rules_by_address(const struct rules *rules, enum rule_kind kind, struct str name);

#endif
