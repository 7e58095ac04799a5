# SPDX-License-Identifier: Apache-2.0
# Starling: everything is built, run and tested from here. `make help` lists the targets.

# The daemons, and the programs beside them. One more daemon is one more word here.
DAEMONS := router storage auth session-manager c2s-edge s2s mqtt-broker proxy65 turn-relay mqtt-bridge mqtt-gateway
PROGRAMS := $(DAEMONS) starlingctl

CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
BUILD ?= build
PYTHON := /usr/bin/python3
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

.DEFAULT_GOAL := debug
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

# --- flags -----------------------------------------------------------------------------------------------------------
PACKAGES := libzmq libuv libprotobuf-c yaml-0.1 hiredis libpq openssl expat zlib libidn2 libsodium libcares
include tools/mk/flags.mk

# --- sources ---------------------------------------------------------------------------------------------------------
GEN := $(BUILD)/gen
PROTOS := $(sort $(wildcard ipc/proto/*.proto))
INTERFACES := bus admin auth storage session edge stanza link s2s mqtt turn mqttadmin
include tools/mk/build.mk
include tools/mk/test.mk
include tools/mk/bench.mk
include tools/mk/lint.mk
include tools/mk/tasks.mk
