/* SPDX-License-Identifier: Apache-2.0
 *
 * debug_test: what STARLING_IPC_DEBUG=1 writes: every field by name, and no secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ipc/gen/auth.client.h"
#include "ipc/gen/edge.client.h"
#include "ipc/gen/storage.client.h"
#include "ipc/runtime/bus_core.h"

static char text[8192];

/* The line that is logged for a message. */
static const char *line_of(const struct envelope *e, const ProtobufCMessage *m)
{
	static struct ipc_bus bus;
	char path[] = "/tmp/starling-debug-XXXXXX";
	int fd = mkstemp(path), saved = dup(STDERR_FILENO);
	ssize_t n;

	bus.instance = 1;
	fflush(stderr);
	dup2(fd, STDERR_FILENO);
	debug_message(&bus, "->", "router", e, m, 3);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	n = pread(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	close(saved);
	close(fd);
	unlink(path);
	return text;
}

static void test_fields_by_name(void **state)
{
	struct envelope e = { .kind = 4, .method = METHOD_EDGE_DELIVER, .source = 1, .destination = 0xbeef, .trace = 0xfeed };
	Starling__DeliverEvent m = STARLING__DELIVER_EVENT__INIT;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	uint64_t streams[] = { 0xabc, 0xdef };
	const char *line;

	(void)state;
	m.meta = &meta;
	m.streams = streams;
	m.n_streams = 2;
	m.delivery = 42;
	meta.to = (char *)"juliet@capulet.example";
	meta.kind = STARLING__STANZA_KIND__STANZA_MESSAGE;
	line = line_of(&e, &m.base);
	assert_non_null(strstr(line, "event edge.Deliver"));
	assert_non_null(strstr(line, "000000000000beef"));
	assert_non_null(strstr(line, "trace=000000000000feed"));
	assert_non_null(strstr(line, "delivery=42"));
	assert_non_null(strstr(line, "to=\"juliet@capulet.example\""));
	assert_non_null(strstr(line, "kind=STANZA_MESSAGE"));
	assert_non_null(strstr(line, "streams=[0000000000000abc 0000000000000def]"));
	assert_non_null(strstr(line, "payload=(3 bytes)"));
}

static void test_secrets_are_lengths(void **state)
{
	struct envelope e = { .kind = 1, .method = METHOD_AUTH_SASL, .source = 1 };
	Starling__SaslRequest sasl = STARLING__SASL_REQUEST__INIT;
	Starling__CreateAccountRequest create = STARLING__CREATE_ACCOUNT_REQUEST__INIT;
	Starling__Credentials credentials = STARLING__CREDENTIALS__INIT;
	Starling__ScramKeys keys = STARLING__SCRAM_KEYS__INIT, *list[] = { &keys };
	const char *line;

	(void)state;
	sasl.input = (ProtobufCBinaryData){ 6, (uint8_t *)"geheim" };
	sasl.state = (ProtobufCBinaryData){ 6, (uint8_t *)"geheim" };
	line = line_of(&e, &sasl.base);
	assert_non_null(strstr(line, "input=(6 bytes)"));
	assert_null(strstr(line, "geheim"));
	create.account = (char *)"romeo@montague.example";
	create.password = (char *)"geheim";
	line = line_of(&e, &create.base);
	assert_non_null(strstr(line, "password=(6 bytes)"));
	assert_non_null(strstr(line, "romeo@montague.example"));
	assert_null(strstr(line, "geheim"));
	keys.stored_key = keys.server_key = keys.salt = (ProtobufCBinaryData){ 6, (uint8_t *)"geheim" };
	credentials.scram = list;
	credentials.n_scram = 1;
	line = line_of(&e, &credentials.base);
	assert_non_null(strstr(line, "stored_key=(6 bytes)"));
	assert_null(strstr(line, "geheim"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_fields_by_name), cmocka_unit_test(test_secrets_are_lengths) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
