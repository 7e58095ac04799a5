/* SPDX-License-Identifier: Apache-2.0
 *
 * sasl: RFC 6120 section 6. The edge knows no mechanism: it carries messages between the client and auth, which keeps the state of the exchange
 * sealed in what it hands back. */
#include "services/c2s-edge/c2s.h"

#include "common/base/mem.h"
#include "common/crypto/base64.h"
#include "ipc/gen/auth.client.h"
#include "services/c2s-edge/metrics.h"

#define CROWD_MS 20000u /* for auth, and for us to hear it, when thousands log in at once */

static void forget(struct c2s_login *l)
{
	mem_free(l->mechanism);
	mem_free_secret(l->state, l->state_n);
	l->mechanism = NULL;
	l->state = NULL;
	l->state_n = 0;
}

/* Conditions come from a service: only what may be an element's name goes out. */
static bool is_name(const char *s)
{
	return s && *s && s[strspn(s, "abcdefghijklmnopqrstuvwxyz-")] == '\0';
}

static void fail(struct c2s_stream *s, const char *condition, const char *text, bool counts)
{
	struct buf *out = c2s_out(s);

	forget(s->login);
	buf_printf(out, "<failure xmlns='" C2S_NS_SASL "'><%s/>", is_name(condition) ? condition : "not-authorized");
	if (text && text[0]) {
		buf_append_cstr(out, "<text xml:lang='en'>");
		xml_escape(out, str_from(text));
		buf_append_cstr(out, "</text>");
	}
	buf_append_cstr(out, "</failure>");
	c2s_stream_set_state(s, C2S_HEADER);
	c2s_stream_hold(s, C2S_HOLD_CALL, false);
	if (!counts)
		return;
	metric_inc(&c2s_metrics.sasl_failed);
	if (++s->login->failures >= (uint32_t)s->edge->config->sasl_tries)
		c2s_end(s, "policy-violation", "too many failed logins");
}

static void write_data(struct c2s_stream *s, const char *element, const ProtobufCBinaryData *data, bool has, const char *empty)
{
	struct buf *out = c2s_out(s);

	if (!has) {
		buf_printf(out, "<%s xmlns='" C2S_NS_SASL "'/>", element);
		return;
	}
	buf_printf(out, "<%s xmlns='" C2S_NS_SASL "'>", element);
	if (data->len > 0)
		base64_append(out, str_make(data->data, data->len));
	else
		buf_append_cstr(out, empty);
	buf_printf(out, "</%s>", element);
}

static void succeed(struct c2s_stream *s, const Starling__SaslReply *reply)
{
	if (!str_eq(jid_view_domain(str_from(reply->account)), s->host->name)) {
		log_error(&s->log, "auth answered with an account of another host: %s", reply->account);
		fail(s, "temporary-auth-failure", "", false);
		return;
	}
	metric_inc(&c2s_metrics.sasl_ok);
	/* Section 6.4.6: data of no bytes is a single equals sign. */
	write_data(s, "success", &reply->output, reply->has_output, "=");
	forget(s->login);
	s->login->account = mem_strdup(reply->account);
	log_info(&s->log, "logged in as %s", reply->account);
	c2s_crowd_login(s->edge);
	c2s_limits_apply(s);
	c2s_stream_restart(s);
	s->success_sent = true;
	c2s_stream_hold(s, C2S_HOLD_CALL, false);
}

static void on_reply(struct c2s_stream *s, const Starling__SaslReply *reply)
{
	switch (reply->outcome) {
	case STARLING__SASL_OUTCOME__SASL_CONTINUE:
		mem_free_secret(s->login->state, s->login->state_n);
		s->login->state = mem_memdup(reply->state.data, reply->state.len);
		s->login->state_n = reply->state.len;
		write_data(s, "challenge", &reply->output, reply->has_output && reply->output.len > 0, "");
		c2s_stream_set_state(s, C2S_SASL);
		c2s_stream_hold(s, C2S_HOLD_CALL, false);
		break;
	case STARLING__SASL_OUTCOME__SASL_SUCCESS:
		succeed(s, reply);
		break;
	default:
		log_info(&s->log, "login refused: %s", reply->condition);
		fail(s, reply->condition, reply->text, true);
		break;
	}
}

static void on_sasl(const struct ipc_result *result, const Starling__SaslReply *reply, void *ctx)
{
	struct c2s_stream *s = ctx;

	if (s->login->gated)
		c2s_gate_leave(&s->edge->sasl_gate);
	s->login->gated = false;
	if (s->state == C2S_SASL_WAIT) {
		if (ipc_ok(result)) {
			on_reply(s, reply);
		} else {
			log_info(&s->log, "auth did not answer: %s %s", ipc_code_name(result->code), result->text);
			metric_inc(&c2s_metrics.sasl_unavailable);
			fail(s, "temporary-auth-failure", "logins are not possible now, try again later", false);
		}
	}
	c2s_stream_unref(s);
}

/* What identifies the TLS connection, in every way that it can be asked for (XEP-0440); tls-unique is not among those advertised (features.c). */
struct bindings {
	Starling__ChannelBinding items[3], *list[3];
	uint8_t data[3][TLS_BINDING_MAX];
	size_t count;
};

static void get_bindings(struct bindings *b, SSL *ssl)
{
	static const struct {
		const char *type;
		size_t (*get)(SSL *ssl, uint8_t out[TLS_BINDING_MAX]);
	} types[] = { { "tls-exporter", tls_exporter }, { "tls-server-end-point", tls_server_end_point }, { "tls-unique", tls_unique } };

	b->count = 0;
	for (size_t i = 0; ssl && i < 3; i++) {
		size_t n = types[i].get(ssl, b->data[b->count]);
		Starling__ChannelBinding *item = &b->items[b->count];

		if (n == 0)
			continue;
		starling__channel_binding__init(item);
		item->type = (char *)(uintptr_t)types[i].type;
		item->data = (ProtobufCBinaryData){ n, b->data[b->count] };
		b->list[b->count++] = item;
	}
}

static void ask(struct c2s_stream *s, struct str input, bool has_input)
{
	Starling__SaslRequest request = STARLING__SASL_REQUEST__INIT;
	struct ipc_opts opts = { .trace = c2s_trace(s->edge), .deadline_ms = c2s_limits_crowded(s->edge) ? CROWD_MS : 0 };
	char address[NET_ADDR_TEXT_MAX];
	SSL *ssl = conn_tls(s->conn);
	struct bindings bindings;

	get_bindings(&bindings, ssl);
	request.channel_bindings = bindings.list;
	request.n_channel_bindings = bindings.count;
	request.host = (char *)s->host->name.p;
	request.mechanism = s->login->mechanism;
	request.state = (ProtobufCBinaryData){ s->login->state_n, s->login->state };
	request.input = (ProtobufCBinaryData){ input.n, (uint8_t *)(uintptr_t)input.p };
	request.has_input = has_input;
	request.encrypted = ssl != NULL;
	request.address = (char *)(uintptr_t)net_addr_text(conn_peer(s->conn), address);
	call_auth_sasl(s->edge->bus, ipc_any("auth"), &opts, &request, on_sasl, c2s_stream_ref(s));
}

static void admitted(struct c2s_stream *s)
{
	struct c2s_login *l = s->login;

	l->gated = true;
	ask(s, str_make(l->input, l->input_n), l->has_input);
	mem_free_secret(l->input, l->input_n);
	l->input = NULL;
	l->input_n = 0;
}

/* Beginnings wait in line, for a password costs auth some work; what has begun goes on. */
static void begin(struct c2s_stream *s, struct str input, bool has_input)
{
	struct c2s_login *l = s->login;

	l->input = mem_memdup(input.p, input.n);
	l->input_n = input.n;
	l->has_input = has_input;
	c2s_gate_enter(&s->edge->sasl_gate, s, admitted);
}

/* Section 6.4.2: no text, no data; "=", data of no bytes; else base64, strictly. */
static void step(struct c2s_stream *s, const struct xml_node *node, bool first)
{
	struct str text = xml_text(s->edge->arena, node);
	char *data = arena_alloc(s->edge->arena, base64_decoded_max(text.n) + 1);
	size_t n = 0;

	if (!str_is(text, "=") && !base64_decode(text, data, &n)) {
		fail(s, "incorrect-encoding", "", true);
	} else {
		c2s_stream_set_state(s, C2S_SASL_WAIT);
		c2s_stream_hold(s, C2S_HOLD_CALL, true);
		if (first)
			begin(s, str_make(data, n), text.n > 0);
		else
			ask(s, str_make(data, n), true);
		mem_wipe(data, n);
	}
	arena_reset(s->edge->arena);
}

void c2s_sasl_auth(struct c2s_stream *s, const struct c2s_input *in)
{
	struct str mechanism = xml_get(in->node, "mechanism");

	if (s->edge->config->require_tls && !conn_tls(s->conn)) {
		fail(s, "encryption-required", "use STARTTLS first", true);
		return;
	}
	if (!c2s_mechanism_offered(c2s_mechanisms_of(s), mechanism)) {
		fail(s, "invalid-mechanism", "", true);
		return;
	}
	forget(s->login);
	s->login->mechanism = mem_strndup(mechanism.p, mechanism.n);
	step(s, in->node, true);
}

/* A second <auth/> within an exchange. */
void c2s_sasl_again(struct c2s_stream *s, const struct c2s_input *in)
{
	(void)in;
	fail(s, "malformed-request", "an exchange is going on", true);
}

void c2s_sasl_response(struct c2s_stream *s, const struct c2s_input *in)
{
	step(s, in->node, false);
}

void c2s_sasl_unasked(struct c2s_stream *s, const struct c2s_input *in)
{
	(void)in;
	fail(s, "malformed-request", "there was no challenge", true);
}

/* Section 6.4.4. Counted, or aborting would be a way around the limit of tries. */
void c2s_sasl_abort(struct c2s_stream *s, const struct c2s_input *in)
{
	(void)in;
	fail(s, "aborted", "", true);
}
