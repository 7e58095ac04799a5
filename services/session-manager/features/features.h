/* SPDX-License-Identifier: Apache-2.0
 *
 * features: what the server answers itself; the list is features.c. */
#ifndef SESSION_MANAGER_FEATURES_H
#define SESSION_MANAGER_FEATURES_H

#include "services/session-manager/iq.h"

extern const struct iq_feature carbons_feature;
extern const struct iq_feature disco_feature;
extern const struct iq_feature external_services_feature;
extern const struct iq_feature flexible_offline_feature;
extern const struct iq_feature last_feature;
extern const struct iq_feature mam_feature;
extern const struct iq_feature mam_prefs_feature;
extern const struct iq_feature ping_feature;
extern const struct iq_feature private_feature;
extern const struct iq_feature register_feature;
extern const struct iq_feature roster_feature;
extern const struct iq_feature time_feature;
extern const struct iq_feature vcard_feature;
extern const struct iq_feature version_feature;

/* The node of offline messages in disco (XEP-0013), for disco.c. */
#define NS_OFFLINE "http://jabber.org/protocol/offline"
void flexible_offline_info(struct iq *iq);
void flexible_offline_items(struct iq *iq);

#endif
