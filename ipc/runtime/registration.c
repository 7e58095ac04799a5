/* SPDX-License-Identifier: Apache-2.0
 *
 * registration: what we say of ourselves at every router. Each change raises the revision and goes out at the end of the turn. */
#include <unistd.h>
#include <zmq.h>

#include "common/base/mem.h"
#include "ipc/runtime/bus_core.h"

static void changed(struct ipc_bus *bus)
{
	bus->self.revision++;
	bus->announce = true;
	directory_set_self(&bus->directory, &bus->self);
	directory_index(&bus->directory);
}

static void set_interfaces(Starling__Registration *self, const struct ipc_config *config)
{
	self->n_interfaces = config->serve_count;
	self->interfaces = mem_zalloc(config->serve_count * sizeof(*self->interfaces));
	for (uint32_t i = 0; i < config->serve_count; i++) {
		self->interfaces[i] = mem_new(Starling__InterfaceVersion);
		starling__interface_version__init(self->interfaces[i]);
		self->interfaces[i]->interface = config->serves[i]->number;
		self->interfaces[i]->version = config->serves[i]->version;
	}
}

static void free_domains(Starling__Registration *self)
{
	for (size_t i = 0; i < self->n_domains; i++)
		mem_free(self->domains[i]);
	mem_free(self->domains);
	self->domains = NULL;
	self->n_domains = 0;
}

static void set_domains(Starling__Registration *self, const char *const *domains, uint32_t count)
{
	free_domains(self);
	self->n_domains = count;
	self->domains = mem_zalloc(count * sizeof(char *));
	for (uint32_t i = 0; i < count; i++)
		self->domains[i] = mem_strdup(domains[i]);
}

void registration_init(struct ipc_bus *bus, const struct ipc_config *config)
{
	Starling__Registration *self = &bus->self;
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	starling__registration__init(self);
	self->instance = bus->instance;
	self->role = mem_strdup(config->role);
	self->name = mem_strdup(config->name ? config->name : "");
	self->version = mem_strdup(config->version ? config->version : "");
	self->host = mem_strdup(host);
	self->metrics_url = mem_strdup(config->metrics_url ? config->metrics_url : "");
	self->public_address = mem_strdup("");
	self->link = mem_strdup("");
	self->pid = (uint32_t)getpid();
	self->window = bus->window;
	set_interfaces(self, config);
	set_domains(self, config->domains, config->domain_count);
	changed(bus);
	bus->announce = false; /* joining says it */
}

static void free_slots(Starling__Registration *self)
{
	for (size_t i = 0; i < self->n_slots; i++)
		mem_free(self->slots[i]);
	mem_free(self->slots);
	self->slots = NULL;
	self->n_slots = 0;
}

void registration_fini(struct ipc_bus *bus)
{
	Starling__Registration *self = &bus->self;

	free_domains(self);
	free_slots(self);
	for (size_t i = 0; i < self->n_interfaces; i++)
		mem_free(self->interfaces[i]);
	mem_free(self->interfaces);
	mem_free(self->role);
	mem_free(self->name);
	mem_free(self->version);
	mem_free(self->host);
	mem_free(self->metrics_url);
	mem_free(self->public_address);
	mem_free(self->link);
	mem_free(self->link_key.data);
}

void ipc_bus_set_state(struct ipc_bus *bus, int instance_state)
{
	if ((int)bus->self.state == instance_state)
		return;
	bus->self.state = (Starling__InstanceState)instance_state;
	changed(bus);
}

void ipc_bus_claim_slots(struct ipc_bus *bus, const uint32_t *slots, const uint64_t *epochs, uint32_t count)
{
	Starling__Registration *self = &bus->self;

	free_slots(self);
	self->n_slots = count;
	self->slots = mem_zalloc(count * sizeof(*self->slots));
	for (uint32_t i = 0; i < count; i++) {
		self->slots[i] = mem_new(Starling__SlotClaim);
		starling__slot_claim__init(self->slots[i]);
		self->slots[i]->slot = slots[i];
		self->slots[i]->epoch = epochs[i];
	}
	changed(bus);
}

void ipc_bus_set_domains(struct ipc_bus *bus, const char *const *domains, uint32_t count)
{
	set_domains(&bus->self, domains, count);
	changed(bus);
}

void ipc_bus_set_metrics_url(struct ipc_bus *bus, const char *url)
{
	mem_free(bus->self.metrics_url);
	bus->self.metrics_url = mem_strdup(url ? url : "");
	changed(bus);
}

void ipc_bus_set_public_address(struct ipc_bus *bus, const char *address)
{
	mem_free(bus->self.public_address);
	bus->self.public_address = mem_strdup(address ? address : "");
	changed(bus);
}

void registration_set_link(struct ipc_bus *bus, const char *endpoint)
{
	Starling__Registration *self = &bus->self;

	mem_free(self->link);
	mem_free(self->link_key.data);
	self->link = mem_strdup(endpoint);
	self->link_key.data = mem_zalloc(32);
	self->link_key.len = zmq_z85_decode(self->link_key.data, bus->key.public_key) ? 32 : 0;
	changed(bus);
}
