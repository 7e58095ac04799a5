/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt/mqtt_rule.h"

#include <stddef.h>

static const struct {
	uint8_t reason;
	const char *text5, *text311;
} rules[MQTT_RULE_COUNT] = {
#define ROW(name, reason, id5, id311, text) { MQTT_##reason, id5 " " text, id311 " " text },
	{ MQTT_SUCCESS, "", "" }, MQTT_RULES(ROW)
#undef ROW
};

const char *mqtt_rule_text(unsigned version, enum mqtt_rule rule)
{
	return version == MQTT_3_1 || version == MQTT_3_1_1 ? rules[rule].text311 : rules[rule].text5;
}

bool mqtt_refuse(struct mqtt_error *e, unsigned version, enum mqtt_rule rule)
{
	if (e)
		*e = (struct mqtt_error){ rules[rule].reason, (uint8_t)rule, mqtt_rule_text(version, rule) };
	return false;
}
