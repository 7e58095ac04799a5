/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_summary: a struct stanza filled while its element is read: what the routers and the session manager must know without parsing again. */
#ifndef COMMON_XML_XML_SUMMARY_H
#define COMMON_XML_XML_SUMMARY_H

#include "common/xmpp/stanza.h"

struct xml_summary {
	struct stanza stanza;
	bool has_type, bad_type;
	uint8_t capture; /* what the child being read is collected for */
	uint8_t priority_n;
	bool has_priority, bad_priority;
	char priority[16];
};

/* False when this is no stanza's name. */
bool xml_summary_begin(struct xml_summary *s, struct str name);
/* An attribute of the root without prefix. False: it does not go into the bytes. */
bool xml_summary_attr(struct xml_summary *s, struct arena *a, struct str name, struct str value);
/* A child begins; own_ns: it is in the stanza's namespace. origin-id's attribute comes by xml_summary_child_attr. */
void xml_summary_child(struct xml_summary *s, struct arena *a, struct str name, struct str ns, bool own_ns);
void xml_summary_child_attr(struct xml_summary *s, struct arena *a, struct str name, struct str value);
void xml_summary_text(struct xml_summary *s, struct str text); /* directly in a child */
void xml_summary_child_end(struct xml_summary *s);
void xml_summary_finish(struct xml_summary *s, struct str bytes);

#endif
