/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_directory: who else is there, for fake_flock.h, which includes it. */
#ifndef SESSION_MANAGER_FAKE_DIRECTORY_H
#define SESSION_MANAGER_FAKE_DIRECTORY_H

static Starling__Registration *fake_registration(void)
{
	static Starling__InterfaceVersion version[3];
	static Starling__InterfaceVersion *all[3] = { &version[0], &version[1], &version[2] };
	static const uint32_t interfaces[3] = { STARLING__INTERFACE__INTERFACE_EDGE, STARLING__INTERFACE__INTERFACE_STORAGE,
		                                STARLING__INTERFACE__INTERFACE_STANZA };
	static Starling__Registration some = STARLING__REGISTRATION__INIT;

	for (int i = 0; i < 3; i++) {
		starling__interface_version__init(&version[i]);
		version[i].interface = interfaces[i];
		version[i].version = fake.old_edge && i == 0 ? 4 : fake.old_peer && i == 2 ? 1 : 100;
	}
	some.instance = STORE;
	some.state = STARLING__INSTANCE_STATE__INSTANCE_READY;
	some.interfaces = all;
	some.n_interfaces = 3;
	return &some;
}

static const Starling__Registration *fake_s2s(void)
{
	static Starling__Registration some;

	some = *fake_registration();
	some.instance = S2S;
	some.name = TEXT("s2s-1");
	return &some;
}

static uint32_t fake_relays(const Starling__Registration **out)
{
	static Starling__Registration some[2];
	uint32_t n = 0;

	for (uint32_t i = 0; i < 2; i++) {
		if (!fake.relays[i])
			continue;
		some[n] = *fake_registration();
		some[n].public_address = TEXT(fake.relays[i]);
		out[n] = &some[n];
		n++;
	}
	return n;
}

uint32_t ipc_bus_instances(const struct ipc_bus *bus, const char *role, const Starling__Registration **out, uint32_t max)
{
	(void)bus, (void)max;
	if (role && strcmp(role, "turn-relay") == 0)
		return fake_relays(out);
	if (role && strcmp(role, "storage") == 0)
		out[0] = fake_registration();
	else if (role && strcmp(role, "s2s") == 0 && fake.s2s_alive)
		out[0] = fake_s2s();
	else
		return 0;
	return 1;
}

const Starling__Registration *ipc_bus_find(const struct ipc_bus *bus, uint64_t instance)
{
	(void)bus;
	return instance == EDGE && !fake.edge_alive ? NULL : fake_registration();
}

uint64_t ipc_bus_slot_owner(const struct ipc_bus *bus, uint32_t slot, uint64_t *out_epoch)
{
	(void)bus;
	if (out_epoch)
		*out_epoch = 5;
	return fake.sm->ownership->slots[slot].state == SLOT_SERVING ? ME : fake.other_alive ? OTHER : 0;
}

uint64_t ipc_bus_domain_instance(const struct ipc_bus *bus, struct str domain)
{
	(void)bus, (void)domain;
	return 0;
}

#endif
