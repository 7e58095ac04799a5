# Compiler and linker flags of the two configurations.
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wformat=2 -Wundef -Wvla
BASE_CFLAGS := -std=gnu17 $(WARN) -fno-common -fno-strict-aliasing -D_GNU_SOURCE
# Asked once, and only where something is built: tools/install-packages may have to bring pkg-config first.
BASE_CPPFLAGS = $(eval BASE_CPPFLAGS := -I. -I$$(GEN) $$(shell pkg-config --cflags $$(PACKAGES) 2>/dev/null))$(BASE_CPPFLAGS)
LIBS = $(eval LIBS := $$(shell pkg-config --libs $$(PACKAGES) 2>/dev/null) -lunistring -lpthread)$(LIBS)
# The few that name the build: another commit does not change how the rest is compiled.
NAMES_BUILD := common/daemon/daemon common/daemon/config services/starlingctl/client services/starlingctl/command
$(foreach c,debug release fuzz,$(NAMES_BUILD:%=$(BUILD)/$(c)/obj/%.o)): BUILD_CFLAGS := -DSTARLING_VERSION='"$(VERSION)"' -DSTARLING_ROLES='"$(PROGRAMS)"'

debug_CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
debug_LDFLAGS := -fsanitize=address,undefined
release_CFLAGS := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE -fcf-protection
release_LDFLAGS := -pie -Wl,-z,relro,-z,now,-z,noexecstack
