/* SPDX-License-Identifier: Apache-2.0
 *
 * sm: stream management (XEP-0198) of one session: what the client counts, and the questions on the way in both directions. Owned by the session,
 * from <enable/> or <resumed/> on. */
#ifndef C2S_EDGE_SM_H
#define C2S_EDGE_SM_H

#include "services/c2s-edge/c2s.h"

#define C2S_NS_SM "urn:xmpp:sm:3"

struct c2s_sm {
	struct c2s_session *session;
	struct wheel_timer timer;    /* before it is enabled: to ask the owner again; then: to ask the client, or for its answer */
	struct list_node waiting;    /* in edge->answers: an <r/> of the client's waits */
	uint64_t base_in, base_out;  /* session.proto: what is subtracted for the client's eyes */
	uint64_t answer_at;          /* stanza number that the waiting <r/> is about */
	uint64_t answer_by_ms;       /* then it is answered with what there is */
	uint64_t owed_at;            /* not 0: answered too early; another <a/> goes out when this number is accepted */
	uint64_t asked_end;          /* where our <r/> ends in the connection's output */
	uint64_t asked_written;      /* bytes written when last looked at */
	uint64_t enable_by_ms;       /* Enable is tried until then */
	uint64_t moved_ignore_by_ms; /* see c2s_sm_moved */
	uint32_t resume_s;           /* asked for; then granted; 0: cannot be resumed */
	bool enabled;
	bool asked;    /* an <r/> of ours is unanswered */
	bool question; /* an <r/> came before <enabled/> was out */
};

/* sm.c: the table's functions */
void c2s_sm_enable(struct c2s_stream *s, const struct c2s_input *in);
void c2s_sm_unexpected(struct c2s_stream *s, const struct c2s_input *in); /* out of order: <failed/> */
/* ack.c */
void c2s_sm_request(struct c2s_stream *s, const struct c2s_input *in); /* <r/> */
void c2s_sm_answer(struct c2s_stream *s, const struct c2s_input *in);  /* <a/> */
/* resume.c */
void c2s_resume(struct c2s_stream *s, const struct c2s_input *in);
void c2s_resume_abandon(struct c2s_stream *s); /* the stream ends, or binds anew */

/* sm.c */
bool c2s_sm_on(const struct c2s_session *ss); /* enabled, or about to be: every stanza counts */
struct c2s_sm *c2s_sm_new(struct c2s_session *ss, uint32_t resume_s);
void c2s_sm_free(struct c2s_session *ss);
void c2s_sm_rest(struct c2s_session *ss); /* the stream is gone: no timers */
void c2s_sm_failed(struct c2s_stream *s, const char *condition);
/* The session lives elsewhere, says its owner. False: that is old news, of the connection before this one at this same edge. */
bool c2s_sm_moved(struct c2s_session *ss);
/* A number as XML Schema has it, whitespace stripped. False: none, or above max. */
bool c2s_sm_number(struct str text, uint64_t max, uint64_t *out);
/* ack.c */
void c2s_ack_delivered(struct c2s_session *ss);         /* asks the client now or soon */
void c2s_ack_accepted(struct c2s_session *ss);          /* answers what was waiting for it */
void c2s_ack_evaluate(struct c2s_session *ss);          /* answers or waits, after <enabled/> */
void c2s_ack_due(struct c2s_edge *edge);                /* answers what has waited long enough */
void c2s_ack_on_timer(struct c2s_session *ss);          /* sm->timer, once enabled */
uint32_t c2s_ack_handled(const struct c2s_session *ss); /* our h */

#endif
