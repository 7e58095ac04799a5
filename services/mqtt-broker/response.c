/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/response.h"

#include "common/mqtt/mqtt_topic.h"
#include "services/mqtt-broker/access_rule.h"
#include "services/mqtt-broker/mq.h"

#define TEMPLATE_MAX 1024u

/* A host cannot have a slash, and a topic for all hosts no space before its first one. */
static struct str split(const char *item, struct str *out_host)
{
	const char *space = strchr(item, ' '), *slash = strchr(item, '/');

	*out_host = (struct str){ 0 };
	if (!space || (slash && slash < space))
		return str_from(item);
	*out_host = str_make(item, (size_t)(space - item));
	return str_from(space + 1);
}

static bool has_host(const struct config_list *hosts, struct str host)
{
	for (size_t i = 0; i < hosts->count; i++) {
		if (str_is(host, hosts->items[i]))
			return true;
	}
	return false;
}

static bool is_template(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' && (i + 1 == s.n || (s.p[i + 1] != 'c' && s.p[i + 1] != 'u')))
			return false;
	}
	return s.n <= TEMPLATE_MAX && mqtt_topic_name_valid(s, 0);
}

int mq_response_check(const struct config_list *templates, const struct config_list *hosts, struct err *e)
{
	for (size_t i = 0; i < templates->count; i++) {
		struct str host, topic = split(templates->items[i], &host);

		if (host.p && !has_host(hosts, host))
			return err_set(e, "services.mqtt-broker: response_information: '%.*s' is not one of hosts", STR_ARG(host));
		if (!is_template(topic))
			return err_set(e, "services.mqtt-broker: response_information: '%.*s' is no topic with %%c and %%u in it",
			               STR_ARG(topic));
	}
	return 0;
}

/* As in access rules: a name that would be more than a part of a level stands for nobody. */
static bool expand(struct str topic, const struct mq_access_who *who, struct buf *out)
{
	for (size_t i = 0; i < topic.n; i++) {
		struct str add = str_make(topic.p + i, 1);

		if (topic.p[i] == '%') {
			add = topic.p[++i] == 'c' ? who->client : mq_access_user(who);
			if (add.n == 0)
				return false;
			for (size_t k = 0; k < add.n; k++) {
				if (strchr("/+#", add.p[k]))
					return false;
			}
		}
		buf_append_str(out, add);
	}
	return out->n - out->start <= MQTT_STRING_MAX;
}

bool mq_response_information(const struct mq_client *c, struct buf *out)
{
	const struct config_list *templates = &c->broker->config->response_information;
	const char *user = mq_client_user(c);
	struct mq_access_who who = { mq_client_id(c), user ? str_from(user) : (struct str){ 0 } };

	for (size_t i = 0; i < templates->count; i++) {
		struct str host, topic = split(templates->items[i], &host);

		if (!host.p || str_eq(host, c->tenant->name))
			return expand(topic, &who, out);
	}
	return false;
}
