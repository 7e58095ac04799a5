/* SPDX-License-Identifier: Apache-2.0
 *
 * deliver_log: messages that are worth keeping: appended to the log, then handed to the sessions that are there, with copies (XEP-0280) to the
 * others; where nobody is there, they wait in the log. */
#ifndef SESSION_MANAGER_DELIVER_LOG_H
#define SESSION_MANAGER_DELIVER_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "services/session-manager/packet.h"

struct account;
struct session;

bool deliver_is_logged(const Starling__StanzaMeta *m);
/* p is for the account; its sessions are loaded. */
void deliver_to_log(struct account *a, const struct packet *p);
/* What the account wants archived is known: deliver_archived_as_sent may be asked. */
bool deliver_archive_known(const struct account *a);
bool deliver_archived_as_sent(const struct account *a, const Starling__StanzaMeta *m);
/* Copies of what is not in the log to those that were not given it: found is the one that was, NULL: all that read messages. */
void deliver_received_copies(struct account *a, const struct packet *p, const struct session *found);
/* Copies of what one of the account's sessions sent, to the others. log_id 0: it is not in the log. */
void deliver_sent_copies(struct account *a, const struct packet *p, uint64_t log_id);

#endif
