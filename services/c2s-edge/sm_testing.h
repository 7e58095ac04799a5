/* SPDX-License-Identifier: Apache-2.0
 *
 * sm_testing: what the tests of stream management share. Included once by each. */
#ifndef C2S_EDGE_SM_TESTING_H
#define C2S_EDGE_SM_TESTING_H

#include "services/c2s-edge/fake_flock.h"

static inline void accepted(uint64_t number)
{
	Starling__AcceptedEvent event = STARLING__ACCEPTED_EVENT__INIT;
	Starling__Progress progress = STARLING__PROGRESS__INIT, *list[] = { &progress };

	progress.stream = fake_stream()->session->id;
	progress.accepted = number;
	event.progress = list;
	event.n_progress = 1;
	on_edge_accepted(NULL, &event);
	fake_turn();
}

static inline void deliver_to(uint64_t stream, uint64_t log_id, uint32_t form, const char *payload)
{
	Starling__DeliverEvent event = STARLING__DELIVER_EVENT__INIT;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	meta.from = (char *)"romeo@a.test/x";
	meta.to = (char *)"juliet@a.test/balcony";
	event.streams = &stream;
	event.n_streams = 1;
	event.meta = &meta;
	event.log_id = log_id;
	event.form = form;
	fake.payload = str_from(payload);
	on_edge_deliver(NULL, &event);
}

/* To the client of the only bound stream. */
static inline void deliver(uint64_t log_id, const char *payload)
{
	deliver_to(fake_stream()->session->id, log_id, STARLING__DELIVER_FORM__FORM_PLAIN, payload);
}

/* A client with stream management, resumable. */
static inline void sm_login(void)
{
	fake_login();
	fake_say("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
	fake_hear();
	fake_asked();
}

#endif
