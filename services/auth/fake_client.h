/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_client: one connection's side of a SASL exchange, over the handlers, for unit tests of auth. */
#ifndef SERVICES_AUTH_FAKE_CLIENT_H
#define SERVICES_AUTH_FAKE_CLIENT_H

#include "services/auth/fake_flock.h"

#include "common/crypto/scram_client.h"
#include "services/auth/mechanism.h"

#define EXPORTER "0123456789abcdef0123456789abcdef"

struct attempt {
	Starling__SaslRequest request;
	Starling__ChannelBinding binding[2], *bindings[2];
	struct ipc_call call;
	struct scram_client *client;
	char *state;
	struct buf input;
};

static inline void attempt_init(struct attempt *t, const char *mechanism)
{
	*t = (struct attempt){ .request = STARLING__SASL_REQUEST__INIT };
	for (int i = 0; i < 2; i++) {
		t->binding[i] = (Starling__ChannelBinding)STARLING__CHANNEL_BINDING__INIT;
		t->bindings[i] = &t->binding[i];
	}
	t->binding[0].type = TEXT("tls-exporter");
	t->binding[0].data = (ProtobufCBinaryData){ 32, (uint8_t *)EXPORTER };
	t->binding[1].type = TEXT("tls-server-end-point");
	t->binding[1].data = (ProtobufCBinaryData){ 5, (uint8_t *)"point" };
	t->request.host = TEXT("one.test");
	t->request.mechanism = TEXT(mechanism);
	t->request.encrypted = true;
	t->request.channel_bindings = t->bindings;
	t->request.n_channel_bindings = 2;
	t->request.address = TEXT("192.0.2.7");
}

static inline void attempt_fini(struct attempt *t)
{
	call_clear(&t->call);
	scram_client_free(&t->client);
	buf_fini(&t->input);
	mem_free(t->state);
}

static inline const Starling__SaslReply *reply_of(const struct attempt *t)
{
	assert_int_equal(t->call.answered, 1);
	assert_int_equal(t->call.code, 0);
	return (const Starling__SaslReply *)t->call.reply;
}

static inline struct str output_of(const struct attempt *t)
{
	return str_make(reply_of(t)->output.data, reply_of(t)->output.len);
}

/* One step: the client's bytes in, the answer in t->call. input.p NULL: no response at all. */
static inline void step(struct attempt *t, struct str input)
{
	buf_clear(&t->input);
	buf_append_str(&t->input, input);
	t->request.has_input = input.p != NULL;
	t->request.input = (ProtobufCBinaryData){ input.n, (uint8_t *)t->input.p };
	call_clear(&t->call);
	on_auth_sasl(&t->call, &t->request);
	fake_turn();
	assert_int_equal(t->call.answered, 1);
	if (t->call.reply && reply_of(t)->outcome == STARLING__SASL_OUTCOME__SASL_CONTINUE) {
		mem_free(t->state);
		t->state = mem_memdup(reply_of(t)->state.data, reply_of(t)->state.len);
		t->request.state = (ProtobufCBinaryData){ reply_of(t)->state.len, (uint8_t *)t->state };
	}
}

static inline void client_init(struct attempt *t, const char *user, const char *password, const char *authzid)
{
	const struct mechanism *m = mechanism_find(t->request.mechanism);
	struct scram_client_config config = {
		.hash = m->hash, .username = str_from(user), .password = str_from(password), .authzid = str_from(authzid)
	};

	if (m->plus) {
		config.cbind = SCRAM_CBIND_USED;
		config.cbind_type = STR("tls-exporter");
		config.cbind_data = STR(EXPORTER);
	}
	t->client = scram_client_new(&config);
}

/* First step with a well-behaved client; leaves the client's final message in out. */
static inline struct str begin(struct attempt *t, const char *user, const char *password)
{
	struct str final;

	client_init(t, user, password, "");
	step(t, scram_client_first(t->client));
	assert_int_equal(reply_of(t)->outcome, STARLING__SASL_OUTCOME__SASL_CONTINUE);
	assert_true(scram_client_final(t->client, output_of(t), &final));
	return final;
}

static inline void assert_refused(struct attempt *t, const char *condition)
{
	assert_int_equal(reply_of(t)->outcome, STARLING__SASL_OUTCOME__SASL_FAILURE);
	assert_string_equal(reply_of(t)->condition, condition);
	assert_string_equal(reply_of(t)->account, "");
	assert_int_equal(reply_of(t)->output.len, 0);
}

#endif
