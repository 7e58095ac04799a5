/* SPDX-License-Identifier: Apache-2.0
 *
 * certificate: logins by the client's certificate, where TLS ends here. It is looked at when CONNECT comes, so that the client is told in CONNACK what is wrong;
 * an alert of TLS would tell it less. */
#include "common/net/tls_identity.h"
#include "common/net/tls_peer.h"
#include "services/mqtt-broker/rights.h"

static bool refuse(struct mq_client *c, const char *text)
{
	metric_inc(&mq_metrics.logins_failed);
	mq_connect_refuse(c, MQTT_NOT_AUTHORIZED, text);
	return true;
}

bool mq_certificate_login(struct mq_client *c, const struct mqtt_connect *p)
{
	const struct mq_config *cfg = c->broker->config;
	SSL *ssl = conn_tls(c->conn);
	char name[TLS_IDENTITY_MAX], why[300];
	enum tls_peer verdict;

	if (!c->broker->client_trust || !mq_client_port(c)->tls)
		return false;
	verdict = ssl ? tls_peer_client(ssl, c->broker->client_trust, why, sizeof(why)) : TLS_PEER_NONE;
	if (verdict == TLS_PEER_NONE)
		return cfg->client_certificate == MQ_CERTIFICATE_REQUIRED && refuse(c, "a certificate is needed");
	if (verdict != TLS_PEER_VALID) {
		log_info(mq_log(c), "certificate refused: %s", why);
		return refuse(c, "the certificate is not accepted");
	}
	/* Who asks for enhanced authentication proves more than that. */
	if (cfg->identity == TLS_IDENTITY_NONE || mqtt_props_has(&p->props, MQTT_PROP_AUTH_METHOD))
		return false;
	if (!tls_identity_get(SSL_get0_peer_certificate(ssl), (enum tls_identity)cfg->identity, name))
		return refuse(c, "the certificate names no user");
	mq_account_login(c, p, str_from(name));
	return true;
}

int mq_certificates_load(const struct mq_config *cfg, struct tls_trust **out, struct err *e)
{
	*out = NULL;
	if (cfg->client_certificate == MQ_CERTIFICATE_NONE)
		return 0;
	/* What the system trusts would make a user of anybody with a certificate for mail. */
	if (!cfg->client_ca[0])
		return err_set(e, "services.mqtt-broker: tls.client_certificate needs tls.client_ca");
	*out = tls_trust_load(cfg->client_ca, e);
	if (*out && cfg->client_crl[0] && tls_trust_revoke(*out, cfg->client_crl, e) < 0)
		tls_trust_free(out);
	return *out ? 0 : -1;
}
